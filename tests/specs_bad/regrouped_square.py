"""sympy turns grad*grad*lr into lr*grad**2, which rounds differently."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - grad * grad * lr),),
)

# error:
# sympy has regrouped 'param - grad * grad * lr' into '-grad**2*lr + param'
#   at tests/specs_bad/regrouped_square.py:10
#   Fix: give each group, and what stands under a root, a name with a Let; a Let is never regrouped
