"""sympy multiplies a number into a sum, inside a helper's argument."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set
from optgen.symbols import clip, grad, lr, param, update

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(
        Let(update, clip(2 * (grad + lr), -1, 1)),
        Set(param, param - lr * update),
    ),
)

# error:
# sympy has regrouped '2 * (grad + lr)' into '2*grad + 2*lr'
#   at tests/specs_bad/regrouped_in_call.py:11
#   Fix: give each group, and what stands under a root, a name with a Let; a Let is never regrouped
