"""A hyperparameter is declared, but the rule does not read it."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import eps, grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(
        Hyperparameter(lr, "1e-3"),
        Hyperparameter(eps, "1e-8"),
    ),
    rule=(Set(param, param - lr * grad),),
)

# error:
# hyperparameter 'eps' is not used by the rule
#   at tests/specs_bad/hyperparameter_unused.py:11
#   Fix: remove it, or use it
