"""Two Lets give one name two values."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set
from optgen.symbols import grad, lr, param, update

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(
        Let(update, grad * lr),
        Let(update, update / 2),
        Set(param, param - update),
    ),
)

# error:
# 'update' is set by two Lets
#   at tests/specs_bad/let_twice.py:12, rule 2 (update)
#   Fix: give the second value a name of its own
