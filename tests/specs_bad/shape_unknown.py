"""A state of a shape that there is not."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set, StateBuffer
from optgen.symbols import exp_avg, grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    state=(StateBuffer(exp_avg, shape="matrix"),),
    rule=(
        Set(exp_avg, grad),
        Set(param, param - lr * exp_avg),
    ),
)

# error:
# state 'exp_avg' has the unknown shape 'matrix'
#   at tests/specs_bad/shape_unknown.py:10
#   Fix: write shape='param' or shape='scalar'
