"""An import of what is not there."""

from optgen.symbols import momentums

momentum = momentums

# error:
# the spec file raises ImportError: cannot import name 'momentums' from 'optgen.symbols'...
#   at tests/specs_bad/imports_missing.py:3
#   Fix: mend the line
