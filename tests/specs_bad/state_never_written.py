"""A state is declared and read, but never written."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set, StateBuffer
from optgen.symbols import exp_avg, grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    state=(StateBuffer(exp_avg),),
    rule=(Set(param, param - lr * exp_avg * grad),),
)

# error:
# state 'exp_avg' is never written
#   at tests/specs_bad/state_never_written.py:10
#   Fix: add Set(exp_avg, ...), or remove the state
