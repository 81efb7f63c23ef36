"""A default outside its own domain."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set, StateBuffer
from optgen.symbols import beta1, exp_avg, grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(
        Hyperparameter(lr, "1e-3"),
        Hyperparameter(beta1, "1", "[0, 1)"),
    ),
    state=(StateBuffer(exp_avg),),
    rule=(
        Set(exp_avg, beta1 * exp_avg + (1 - beta1) * grad),
        Set(param, param - lr * exp_avg),
    ),
)

# error:
# the default 1 of 'beta1' lies outside its domain [0, 1)
#   at tests/specs_bad/default_outside_domain.py:11
#   Fix: change the default or the domain
