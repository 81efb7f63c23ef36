"""A condition is no number."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set
from optgen.symbols import grad, lr, param, update

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(
        Let(update, grad > 0),
        Set(param, param - lr * update),
    ),
)

# error:
# 'grad > 0' is a condition, not a number
#   at tests/specs_bad/value_is_condition.py:11
#   Fix: write Piecewise((1, condition), (0, True))
