"""A reduction of one number."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set
from optgen.symbols import grad, lr, norm, param, trust_ratio

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(
        Let(trust_ratio, norm(lr)),
        Set(param, param - trust_ratio * grad),
    ),
)

# error:
# 'norm(lr)' reduces what has no value per element
#   at tests/specs_bad/reduction_of_scalar.py:11, rule 1 (trust_ratio)
#   Fix: reduce the parameter, the gradient, a state or what is made of them
