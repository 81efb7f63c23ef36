"""One pair of parentheses without a comma is no tuple."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * grad)),
)

# error:
# rule is a Set, not a tuple of Let and Set
#   at tests/specs_bad/comma_forgotten.py:6
#   Fix: write rule=(..., ...), with a comma behind a single item too
