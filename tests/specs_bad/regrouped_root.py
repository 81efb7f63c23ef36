"""sympy takes the 4 out of the root."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set, StateBuffer
from optgen.symbols import Abs, denom, exp_avg, grad, lr, param, sqrt

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    state=(StateBuffer(exp_avg),),
    rule=(
        Let(denom, sqrt(4 * exp_avg)),
        Set(exp_avg, Abs(grad)),
        Set(param, param - lr * grad / denom),
    ),
)

# error:
# sympy has regrouped 'sqrt(4 * exp_avg)' into '2*sqrt(exp_avg)'
#   at tests/specs_bad/regrouped_root.py:12
#   Fix: give each group, and what stands under a root, a name with a Let; a Let is never regrouped
