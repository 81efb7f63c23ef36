"""A power that is neither an integer nor 1/2."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import Rational, grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * grad ** Rational(1, 3)),),
)

# error:
# unsupported function: the power 1/3 of 'grad'
#   at tests/specs_bad/power_fractional.py:10
#   Fix: use integer powers and sqrt, and name each with a Let
