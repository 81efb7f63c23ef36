"""A function that calls itself without end."""

from optgen.symbols import lr


def nested(value):
    return nested(value + 1)


value = nested(lr)

# error:
# the spec file raises RecursionError: maximum recursion depth exceeded...
#   at tests/specs_bad/raises_deep.py:7
#   Fix: mend the line
