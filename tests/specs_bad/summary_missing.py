"""The summary is empty."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * grad),),
)

# error:
# rule 'bad' has no summary
#   at tests/specs_bad/summary_missing.py:6
#   Fix: say in one sentence what it does
