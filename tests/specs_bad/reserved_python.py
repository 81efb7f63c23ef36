"""'lambda' is taken."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, param, symbol

rate = symbol("lambda")

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(rate, "1e-3"),),
    rule=(Set(param, param - rate * grad),),
)

# error:
# 'lambda' is a reserved word of Python
#   at tests/specs_bad/reserved_python.py:11
#   Fix: rename it, for example to 'lambda_'
