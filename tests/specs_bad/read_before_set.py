"""A Let stands below the line that reads it."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set
from optgen.symbols import denom, grad, lr, param, sqrt

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(
        Set(param, param - lr * grad / denom),
        Let(denom, sqrt(grad) + lr),
        Set(param, param - denom),
    ),
)

# error:
# 'denom' is read before it is set: it is set further down
#   at tests/specs_bad/read_before_set.py:11, rule 1 (param)
#   Fix: move its Let above this line
