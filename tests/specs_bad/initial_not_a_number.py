"""A state starts at a name."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set, StateBuffer
from optgen.symbols import exp_avg, grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    state=(StateBuffer(exp_avg, initial="grad"),),
    rule=(
        Set(exp_avg, grad),
        Set(param, param - lr * exp_avg),
    ),
)

# error:
# the initial value of 'exp_avg' is not a decimal number: 'grad'
#   at tests/specs_bad/initial_not_a_number.py:10
#   Fix: write it as text, for example '1e-3'
