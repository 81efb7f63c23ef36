"""Set writes what is no state."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import exp_avg, grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(
        Set(exp_avg, lr * grad),
        Set(param, param - exp_avg),
    ),
)

# error:
# 'exp_avg' is neither the parameter nor a state
#   at tests/specs_bad/set_undeclared.py:11, rule 1 (exp_avg)
#   Fix: declare it as a StateBuffer, or use Let for an intermediate value
