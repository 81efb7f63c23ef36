"""amsgrad needs a second moment."""

from optgen.modifiers import amsgrad
from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

sgd = OptimizerSpec(
    name="my_sgd",
    summary="Gradient descent.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * grad),),
)
bad = amsgrad(sgd, name="bad")

# error:
# amsgrad needs a rule that writes exp_avg_sq, and 'my_sgd' does not
#   at tests/specs_bad/amsgrad_on_sgd.py:13
#   Fix: apply it to adam or to one of its relatives
