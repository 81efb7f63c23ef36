"""Nothing declares a name that is read."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param, symbol

curvature = symbol("curvature")

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * curvature * grad),),
)

# error:
# 'curvature' is read before it is set: nothing declares it
#   at tests/specs_bad/read_undeclared.py:12, rule 1 (param)
#   Fix: declare it as a hyperparameter or a state, or set it with a Let
