"""A Let takes the name of a state."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import exp_avg, grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    state=(StateBuffer(exp_avg),),
    rule=(
        Let(exp_avg, lr * grad),
        Set(exp_avg, grad),
        Set(param, param - exp_avg),
    ),
)

# error:
# 'exp_avg' is declared twice: as a state and as a Let
#   at tests/specs_bad/let_writes_state.py:12
#   Fix: rename one of the two
