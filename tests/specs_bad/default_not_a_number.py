"""A default in words."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "one thousandth"),),
    rule=(Set(param, param - lr * grad),),
)

# error:
# the default of 'lr' is not a decimal number: 'one thousandth'
#   at tests/specs_bad/default_not_a_number.py:9
#   Fix: write it as text, for example '1e-3'
