"""sympy drops the parentheses around a quotient."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import denom, grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(
        Hyperparameter(lr, "1e-3"),
        Hyperparameter(denom, "1", "(0, oo)"),
    ),
    rule=(Set(param, param - lr * (grad / denom)),),
)

# error:
# sympy has regrouped 'param - lr * (grad / denom)' into 'param - grad*lr/denom'
#   at tests/specs_bad/regrouped_quotient.py:13
#   Fix: give each group, and what stands under a root, a name with a Let; a Let is never regrouped
