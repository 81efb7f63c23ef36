"""'register' is taken."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, param, symbol

rate = symbol("register")

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(rate, "1e-3"),),
    rule=(Set(param, param - rate * grad),),
)

# error:
# 'register' is a reserved word of C
#   at tests/specs_bad/reserved_c.py:11
#   Fix: rename it, for example to 'register_'
