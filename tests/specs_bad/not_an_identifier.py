"""A name with a hyphen."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, param, symbol

rate = symbol("learning-rate")

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(rate, "1e-3"),),
    rule=(Set(param, param - rate * grad),),
)

# error:
# 'learning-rate' is not an identifier
#   at tests/specs_bad/not_an_identifier.py:11
#   Fix: use letters, digits and _, beginning with a letter
