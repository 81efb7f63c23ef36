"""A reference that is no link."""

from optgen.spec import Hyperparameter, OptimizerSpec, Reference, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * grad),),
    references=(Reference("A paper", "on my desk", 2020),),
)

# error:
# 'on my desk' is not the address of 'A paper'
#   at tests/specs_bad/url_not_https.py:11
#   Fix: give a link that begins with https://
