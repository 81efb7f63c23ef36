"""Two rules of one name."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

first = OptimizerSpec(
    name="descent",
    summary="Gradient descent.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * grad),),
)
second = OptimizerSpec(
    name="descent",
    summary="Gradient ascent.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param + lr * grad),),
)

# error:
# two rules are called 'descent': here and at tests/specs_bad/two_of_one_name.py:6
#   at tests/specs_bad/two_of_one_name.py:12
#   Fix: rename one of the two
