"""A file without a rule."""

from optgen.spec import Hyperparameter
from optgen.symbols import lr

DEFAULT_LR = Hyperparameter(lr, "1e-3")

# error:
# the spec file declares no rule
#   at tests/specs_bad/declares_nothing.py:1
#   Fix: bind an OptimizerSpec to a name, or begin the file's name with _
