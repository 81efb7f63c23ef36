"""A reduction inside an expression of its own operand."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, norm, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * grad / norm(grad + param)),),
)

# error:
# 'norm(grad + param)' reduces an expression without a name
#   at tests/specs_bad/reduction_nested.py:10, rule 1 (param)
#   Fix: name the reduced value with a Let first
