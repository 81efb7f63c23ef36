"""The root of a negative number."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param, sqrt

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * sqrt(-1) * grad),),
)

# error:
# the square root of a negative constant
#   at tests/specs_bad/constant_imaginary.py:10
#   Fix: mend what is under the root
