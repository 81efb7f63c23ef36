"""A number is no condition."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import Piecewise, grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * Piecewise((grad, grad), (0, True))),),
)

# error:
# 'grad' is a number, not a condition
#   at tests/specs_bad/condition_is_number.py:10
#   Fix: compare it, for example grad > 0
