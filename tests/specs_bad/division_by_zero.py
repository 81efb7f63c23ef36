"""A division by the constant 0."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * grad / 0),),
)

# error:
# a division by the constant 0
#   at tests/specs_bad/division_by_zero.py:10
#   Fix: mend the divisor
