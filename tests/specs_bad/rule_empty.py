"""There are no assignments."""

from optgen.spec import OptimizerSpec

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    rule=(),
)

# error:
# rule 'bad' never writes the parameter
#   at tests/specs_bad/rule_empty.py:5
#   Fix: add Set(param, ...)
