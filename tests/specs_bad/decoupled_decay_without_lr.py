"""Decoupled decay is lr*weight_decay, and the rule has no lr."""

from optgen.modifiers import decoupled_decay
from optgen.spec import OptimizerSpec, Set
from optgen.symbols import grad, param, sign

plain = OptimizerSpec(
    name="plain",
    summary="Gradient descent by the sign, one unit a step.",
    rule=(Set(param, param - sign(grad)),),
)
bad = decoupled_decay(plain, name="bad")

# error:
# decoupled_decay needs a rule that uses 'lr', and 'plain' does not
#   at tests/specs_bad/decoupled_decay_without_lr.py:12
#   Fix: declare lr as a hyperparameter of 'plain'
