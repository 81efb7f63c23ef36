"""log has no correctly rounded implementation."""

from sympy import log

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * log(grad)),),
)

# error:
# unsupported function 'log' in 'log(grad)'
#   at tests/specs_bad/function_log.py:12
#   Fix: rules may use + - * / **, sqrt, Piecewise, Abs, Max, Min, sign, norm, mean
