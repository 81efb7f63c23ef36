"""A domain in words."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3", "positive"),),
    rule=(Set(param, param - lr * grad),),
)

# error:
# 'positive' is not an interval
#   at tests/specs_bad/domain_not_an_interval.py:9
#   Fix: write for example '[0, 1)' or '(0, oo)'
