"""A scalar state is given what a reduction gives."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import grad, lr, momentum, norm, param, update

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    state=(StateBuffer(momentum, shape="scalar"),),
    rule=(
        Let(update, norm(grad)),
        Set(momentum, momentum + update),
        Set(param, param - lr * momentum * grad),
    ),
)

# error:
# the scalar state 'momentum' is given the value of a reduction, and states are stored before
#       anything is reduced
#   at tests/specs_bad/scalar_state_of_reduction.py:13, rule 2 (momentum)
#   Fix: declare it with shape='param'
