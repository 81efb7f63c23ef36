"""An assignment to an expression."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(2 * param, param - lr * grad),),
)

# error:
# '2*param' is not a symbol, so nothing can be assigned to it
#   at tests/specs_bad/target_not_a_symbol.py:10
#   Fix: make the name with optgen.symbols.symbol('...')
