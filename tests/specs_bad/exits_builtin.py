"""The file ends the process, as in a console."""

exit()

# error:
# the spec file ends the process
#   at tests/specs_bad/exits_builtin.py:3
#   Fix: a spec file only declares; remove the line
