"""In identifiers and files ':' becomes '_'."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

first = OptimizerSpec(
    name="descent:plain",
    summary="Gradient descent.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * grad),),
)
second = OptimizerSpec(
    name="descent_plain",
    summary="Gradient ascent.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param + lr * grad),),
)

# error:
# 'descent_plain' and 'descent:plain' are both 'descent_plain' in identifiers: here and at
#       tests/specs_bad/two_of_one_identifier.py:6
#   at tests/specs_bad/two_of_one_identifier.py:12
#   Fix: rename one of the two
