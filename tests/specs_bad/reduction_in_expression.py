"""A reduction whose value has no name."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, norm, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * grad / norm(grad)),),
)

# error:
# 'norm(grad)' stands inside an expression, or its value has no name
#   at tests/specs_bad/reduction_in_expression.py:10, rule 1 (param)
#   Fix: write Let(..., norm(grad)) above, and use its name here
