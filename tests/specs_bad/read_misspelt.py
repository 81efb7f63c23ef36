"""A state is read under a misspelt name."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set, StateBuffer
from optgen.symbols import exp_avg, grad, lr, param, symbol

exp_avgg = symbol("exp_avgg")

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    state=(StateBuffer(exp_avg),),
    rule=(
        Set(exp_avg, grad),
        Set(param, param - lr * exp_avgg),
    ),
)

# error:
# 'exp_avgg' is read before it is set: nothing declares it
#   at tests/specs_bad/read_misspelt.py:15, rule 2 (param)
#   Fix: did you mean 'exp_avg'?
