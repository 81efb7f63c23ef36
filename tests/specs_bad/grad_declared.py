"""A state takes the name of the gradient."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set, StateBuffer
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    state=(StateBuffer(grad),),
    rule=(
        Set(grad, grad),
        Set(param, param - lr * grad),
    ),
)

# error:
# 'grad' is declared twice: as a symbol of every rule and as a state
#   at tests/specs_bad/grad_declared.py:10
#   Fix: rename one of the two
