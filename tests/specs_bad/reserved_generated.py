"""'chunk' is taken."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, param, symbol

rate = symbol("chunk")

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(rate, "1e-3"),),
    rule=(Set(param, param - rate * grad),),
)

# error:
# 'chunk' is a reserved word of generated code
#   at tests/specs_bad/reserved_generated.py:11
#   Fix: rename it, for example to 'chunk_'
