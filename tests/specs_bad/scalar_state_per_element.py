"""A scalar state is given one value per element."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set, StateBuffer
from optgen.symbols import grad, lr, momentum, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    state=(StateBuffer(momentum, shape="scalar"),),
    rule=(
        Set(momentum, momentum + grad),
        Set(param, param - lr * momentum),
    ),
)

# error:
# the scalar state 'momentum' is given one value per element
#   at tests/specs_bad/scalar_state_per_element.py:12, rule 1 (momentum)
#   Fix: declare it with shape='param'
