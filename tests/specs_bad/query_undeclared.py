"""The query reads a name that nothing declares."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, momentum_buffer, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * grad),),
    query=param - lr * momentum_buffer,
)

# error:
# the query reads 'momentum_buffer', which has no value before the step
#   at tests/specs_bad/query_undeclared.py:6
#   Fix: write it with param, states, step and hyperparameters
