"""The file ends the process."""

import sys

sys.exit(3)

# error:
# the spec file ends the process
#   at tests/specs_bad/exits_sys.py:5
#   Fix: a spec file only declares; remove the line
