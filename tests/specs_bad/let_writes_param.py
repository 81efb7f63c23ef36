"""A Let takes the name of the parameter."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Let(param, param - lr * grad),),
)

# error:
# 'param' is declared twice: as a symbol of every rule and as a Let
#   at tests/specs_bad/let_writes_param.py:10
#   Fix: rename one of the two
