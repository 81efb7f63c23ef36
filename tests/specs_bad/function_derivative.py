"""A derivative that was not carried out."""

from sympy import Derivative

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, norm, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * Derivative(norm(grad), grad)),),
)

# error:
# unsupported function 'Derivative' in 'Derivative(norm(grad), grad)'
#   at tests/specs_bad/function_derivative.py:12
#   Fix: rules may use + - * / **, sqrt, Piecewise, Abs, Max, Min, sign, norm, mean
