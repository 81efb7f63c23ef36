"""A name of optgen that the file does not import."""

from optgen.symbols import grad, param  # noqa: F401

update = lr * grad  # noqa: F821

# error:
# the spec file raises NameError: name 'lr' is not defined
#   at tests/specs_bad/name_not_imported.py:5
#   Fix: add `from optgen.symbols import lr`
