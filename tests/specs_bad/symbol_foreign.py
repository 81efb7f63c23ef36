"""A symbol that optgen.symbols did not make would be equal to no other rule's."""

import sympy

from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, param

rate = sympy.Symbol("rate")

bad = OptimizerSpec(
    name="bad",
    summary="A broken rule.",
    hyperparameters=(Hyperparameter(rate, "1e-3"),),
    rule=(Set(param, param - rate * grad),),
)

# error:
# 'rate' is not the symbol of this name that other rules use
#   at tests/specs_bad/symbol_foreign.py:13
#   Fix: make it with optgen.symbols.symbol('rate')
