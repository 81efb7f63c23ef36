"""Two hyperparameters share a name."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(
        Hyperparameter(lr, "1e-3"),
        Hyperparameter(lr, "1e-2"),
    ),
    rule=(Set(param, param - lr * grad),),
)

# error:
# 'lr' is declared twice, both times as a hyperparameter
#   at tests/specs_bad/hyperparameter_twice.py:11
#   Fix: rename one of the two
