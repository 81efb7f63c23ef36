"""A required argument is forgotten."""

from optgen.spec import OptimizerSpec

bad = OptimizerSpec(name="bad", summary="No rule at all.")

# error:
# the spec file raises TypeError: OptimizerSpec.__init__() missing 1 required positional argument:
#       'rule'
#   at tests/specs_bad/rule_missing.py:5
#   Fix: mend the line
