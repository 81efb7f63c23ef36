"""An assignment to text."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set("param", param - lr * grad),),
)

# error:
# 'param' is not a symbol, so nothing can be assigned to it
#   at tests/specs_bad/target_as_text.py:10
#   Fix: make the name with optgen.symbols.symbol('...')
