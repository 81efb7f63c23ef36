"""The rule's own name is a reserved word."""

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

bad = OptimizerSpec(
    name="while",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(Set(param, param - lr * grad),),
)

# error:
# 'while' is a reserved word of Python
#   at tests/specs_bad/reserved_rule_name.py:6
#   Fix: rename the rule, for example to 'while_rule'
