"""A hyperparameter and a state share a name."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set, StateBuffer
from optgen.symbols import grad, lr, momentum, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(
        Hyperparameter(lr, "1e-3"),
        Hyperparameter(momentum, "0.9"),
    ),
    state=(StateBuffer(momentum),),
    rule=(
        Set(momentum, grad),
        Set(param, param - lr * momentum),
    ),
)

# error:
# 'momentum' is declared twice: as a hyperparameter and as a state
#   at tests/specs_bad/declared_twice.py:13
#   Fix: rename one of the two
