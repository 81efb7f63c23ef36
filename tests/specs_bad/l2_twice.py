"""A modifier is applied twice."""

from optgen.modifiers import l2
from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

sgd = OptimizerSpec(
    name="my_sgd",
    summary="Gradient descent.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * grad),),
)
bad = l2(l2(sgd), name="bad")

# error:
# 'my_sgd+l2' has a weight_decay already
#   at tests/specs_bad/l2_twice.py:13
#   Fix: apply l2 or decoupled_decay, and that once
