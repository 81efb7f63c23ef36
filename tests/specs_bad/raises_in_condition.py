"""Python's if cannot decide about a symbol."""

from optgen.symbols import grad

factor = 1 if grad > 0 else -1

# error:
# the spec file raises TypeError: cannot determine truth value of Relational...
#   at tests/specs_bad/raises_in_condition.py:5
#   Fix: a rule has no value yet to decide on: write Piecewise((a, grad > 0), (b, True)) for if,
#       Max and Min of optgen.symbols for max and min
