"""A hyperparameter's symbol is given as text."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter("lr", "1e-3"),),
    rule=(Set(param, param - lr * grad),),
)

# error:
# 'lr' is not a symbol
#   at tests/specs_bad/hyperparameter_as_text.py:9
#   Fix: import it from optgen.symbols, or make it with optgen.symbols.symbol('...')
