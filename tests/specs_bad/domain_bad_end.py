"""An end of a domain that is no number."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3", "[zero, 1)"),),
    rule=(Set(param, param - lr * grad),),
)

# error:
# '[zero, 1)' is not an interval: 'zero' is no number
#   at tests/specs_bad/domain_bad_end.py:9
#   Fix: write for example '[0, 1)' or '(0, oo)'
