"""A right-hand side that a function forgot to return."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param


def decayed(value):
    value - lr * grad


bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, decayed(param)),),
)

# error:
# None is not an expression
#   at tests/specs_bad/value_none.py:15
#   Fix: write it with the names of optgen.symbols
