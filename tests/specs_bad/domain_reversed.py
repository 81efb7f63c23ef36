"""The ends of a domain are the wrong way round."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3", "[1, 0]"),),
    rule=(Set(param, param - lr * grad),),
)

# error:
# the interval [1, 0] is empty: its ends are the wrong way round
#   at tests/specs_bad/domain_reversed.py:9
#   Fix: write for example '[0, 1)' or '(0, oo)'
