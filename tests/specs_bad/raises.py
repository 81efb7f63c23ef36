"""The file raises."""

rate = 1 / 0

# error:
# the spec file raises ZeroDivisionError: division by zero
#   at tests/specs_bad/raises.py:3
#   Fix: mend the line
