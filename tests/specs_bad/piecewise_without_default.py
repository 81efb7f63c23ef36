"""A Piecewise that may have no value."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import Piecewise, grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * Piecewise((grad, grad > 0))),),
)

# error:
# 'Piecewise((grad, grad > 0))' has no value when none of its conditions holds
#   at tests/specs_bad/piecewise_without_default.py:10
#   Fix: end it with a branch (value, True)
