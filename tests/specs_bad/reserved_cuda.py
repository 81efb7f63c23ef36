"""'threadIdx' is taken."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, param, symbol

rate = symbol("threadIdx")

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(rate, "1e-3"),),
    rule=(Set(param, param - rate * grad),),
)

# error:
# 'threadIdx' is a reserved word of CUDA
#   at tests/specs_bad/reserved_cuda.py:11
#   Fix: rename it, for example to 'threadIdx_'
