"""A state starts outside the domain it promises to keep."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set, StateBuffer
from optgen.symbols import exp_avg_sq, grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    state=(StateBuffer(exp_avg_sq, initial=-1, domain="[0, oo)"),),
    rule=(
        Set(exp_avg_sq, exp_avg_sq + grad**2),
        Set(param, param - lr * exp_avg_sq),
    ),
)

# error:
# state 'exp_avg_sq' starts at -1, outside its domain [0, oo)
#   at tests/specs_bad/initial_outside_domain.py:10
#   Fix: change the initial value or the domain
