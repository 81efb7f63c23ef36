"""A power whose exponent is no constant, of a value per element."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - grad**lr),),
)

# error:
# a power whose exponent is no constant depends on the elements of a tensor
#   at tests/specs_bad/power_per_element.py:10, rule 1 (param)
#   Fix: use integer powers and sqrt
