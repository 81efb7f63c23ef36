"""A constant that is not rational."""

from sympy import pi

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * pi * grad),),
)

# error:
# the constant 'pi' is not rational
#   at tests/specs_bad/constant_pi.py:12
#   Fix: write as many digits as are meant, for example Rational("3.14159265358979")
