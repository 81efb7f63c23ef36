"""A Let takes a name that generated code makes for itself."""

from optgen.spec import Hyperparameter, Let, OptimizerSpec, Set
from optgen.symbols import grad, lr, param, symbol

scaled = symbol("grad_v")

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(lr, "1e-3"),),
    rule=(
        Let(scaled, lr * grad),
        Set(param, param - scaled),
    ),
)

# error:
# 'grad_v' (a Let) is what generated code makes of 'grad'
#   at tests/specs_bad/derived_name.py:8
#   Fix: choose another name than 'grad_v'
