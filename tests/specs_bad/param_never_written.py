"""The parameter is never written."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set, StateBuffer
from optgen.symbols import exp_avg, grad, lr

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    state=(StateBuffer(exp_avg),),
    rule=(Set(exp_avg, lr * grad),),
)

# error:
# rule 'bad' never writes the parameter
#   at tests/specs_bad/param_never_written.py:6
#   Fix: add Set(param, ...)
