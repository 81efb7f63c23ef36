"""The gradient is written."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(
        Set(grad, grad * 2),
        Set(param, param - lr * grad),
    ),
)

# error:
# 'grad' is neither the parameter nor a state
#   at tests/specs_bad/grad_written.py:11, rule 1 (grad)
#   Fix: declare it as a StateBuffer, or use Let for an intermediate value
