"""A Python variable is no name for optgen: its value is merged."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

scaled = grad * (1 + lr)

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * scaled),),
)

# error:
# sympy has regrouped 'param - lr * scaled' into '-grad*lr*(lr + 1) + param'
#   at tests/specs_bad/regrouped_variable.py:12
#   Fix: give each group, and what stands under a root, a name with a Let; a Let is never regrouped
