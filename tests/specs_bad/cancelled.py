"""sympy cancels what was meant to be rounded."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set
from optgen.symbols import grad, lr, param, update

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(
        Let(update, (grad + lr) - lr),
        Set(param, param - lr * update),
    ),
)

# error:
# sympy has regrouped '(grad + lr) - lr' into 'grad'
#   at tests/specs_bad/cancelled.py:11
#   Fix: give each group, and what stands under a root, a name with a Let; a Let is never regrouped
