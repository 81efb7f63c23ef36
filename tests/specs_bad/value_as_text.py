"""A right-hand side as text."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, "param - lr*grad"),),
)

# error:
# 'param - lr*grad' is not an expression
#   at tests/specs_bad/value_as_text.py:10
#   Fix: write it with the names of optgen.symbols
