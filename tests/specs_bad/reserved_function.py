"""A Let takes the name of a function that generated code calls."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set
from optgen.symbols import Abs, grad, lr, param, sqrt, symbol

root = symbol("sqrt")

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(
        Let(root, sqrt(Abs(grad))),
        Set(param, param - lr * root),
    ),
)

# error:
# 'sqrt' is a reserved word of mathematics
#   at tests/specs_bad/reserved_function.py:13
#   Fix: rename it, for example to 'sqrt_'
