"""exp has no correctly rounded implementation."""

from sympy import exp

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * exp(grad)),),
)

# error:
# unsupported function 'exp' in 'exp(grad)'
#   at tests/specs_bad/function_exp.py:12
#   Fix: rules may use + - * / **, sqrt, Piecewise, Abs, Max, Min, sign, norm, mean
