"""One name, two symbols: sympy tells them apart by their assumptions."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import Symbol, grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - Symbol("lr", positive=True) * grad),),
)

# error:
# two different symbols are called 'lr' (their assumptions differ)
#   at tests/specs_bad/twin_symbols.py:10, rule 1 (param)
#   Fix: make every symbol with optgen.symbols.symbol('...')
