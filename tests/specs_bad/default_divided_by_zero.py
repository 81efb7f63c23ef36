"""A default that is a fraction over 0."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1/0"),),
    rule=(Set(param, param - lr * grad),),
)

# error:
# the default of 'lr' is not a decimal number: '1/0'
#   at tests/specs_bad/default_divided_by_zero.py:9
#   Fix: write it as text, for example '1e-3'
