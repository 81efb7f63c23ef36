"""Infinity as a constant."""

from sympy import oo

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * grad * oo),),
)

# error:
# the constant infinity
#   at tests/specs_bad/infinite_constant.py:12
#   Fix: write the number that is meant
