"""A rule's name is in lower case."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="SGD",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * grad),),
)

# error:
# 'SGD' is not a name for a rule
#   at tests/specs_bad/name_in_capitals.py:6
#   Fix: write family[:variant][+modifier], in lower-case letters, digits and _
