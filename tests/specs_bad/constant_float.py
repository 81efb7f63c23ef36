"""A float is the binary number next to what was meant."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * 0.1 * grad),),
)

# error:
# the constant 0.1 is a rounded binary number
#   at tests/specs_bad/constant_float.py:10
#   Fix: write it exactly, for example Rational("0.1")
