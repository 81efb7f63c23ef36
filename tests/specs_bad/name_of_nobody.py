"""A name that nobody has declared."""

from optgen.symbols import grad

doubled = zzyzx * grad  # noqa: F821

# error:
# the spec file raises NameError: name 'zzyzx' is not defined
#   at tests/specs_bad/name_of_nobody.py:5
#   Fix: a symbol of your own is made with zzyzx = symbol("zzyzx")
