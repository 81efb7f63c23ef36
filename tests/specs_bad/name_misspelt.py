"""A name that the file declares, misspelt."""

from optgen.symbols import grad, symbol

warmed_gradient = grad * symbol("warmth")
doubled = 2 * warmed_gradeint  # noqa: F821

# error:
# the spec file raises NameError: name 'warmed_gradeint' is not defined
#   at tests/specs_bad/name_misspelt.py:6
#   Fix: did you mean 'warmed_gradient'? Otherwise a symbol of your own is made with
#       warmed_gradeint = symbol("warmed_gradeint")
