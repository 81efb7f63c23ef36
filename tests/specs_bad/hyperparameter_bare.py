"""A symbol stands where a Hyperparameter should."""

from optgen.spec import OptimizerSpec, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(lr,),
    rule=(Set(param, param - lr * grad),),
)

# error:
# hyperparameters holds 'lr', which is no Hyperparameter
#   at tests/specs_bad/hyperparameter_bare.py:6
#   Fix: write Hyperparameter(...)
