"""Python's if cannot decide about a symbol."""

from optgen.symbols import grad

factor = 1 if grad > 0 else -1

# error:
# the spec file raises TypeError: cannot determine truth value of Relational...
#   at tests/specs_bad/raises_in_condition.py:5
#   Fix: mend the line
