"""A reduction of a value without a name."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set
from optgen.symbols import grad, lr, norm, param, trust_ratio

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(
        Let(trust_ratio, norm(lr * grad)),
        Set(param, param - trust_ratio * grad),
    ),
)

# error:
# 'norm(grad*lr)' reduces an expression without a name
#   at tests/specs_bad/reduction_of_expression.py:11, rule 1 (trust_ratio)
#   Fix: name the reduced value with a Let first
