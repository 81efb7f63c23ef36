"""A Let that nothing reads."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set
from optgen.symbols import denom, grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(
        Let(denom, grad + lr),
        Set(param, param - lr * grad),
    ),
)

# error:
# 'denom' is set but never read
#   at tests/specs_bad/let_never_read.py:11
#   Fix: remove the Let
