"""A function that optgen does not know."""

from sympy import Function

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

soften = Function("soften", real=True)

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * soften(grad)),),
)

# error:
# unsupported function 'soften' in 'soften(grad)'
#   at tests/specs_bad/function_unknown.py:14
#   Fix: rules may use + - * / **, sqrt, Piecewise, Abs, Max, Min, sign, norm, mean
