"""optgen: a compiler with a proof checker for optimizer update rules.

Nothing is imported until it is asked for (PEP 562): `import optgen` costs no
sympy, and so does everything that only needs the version.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optgen.configuration import load_spec as load_spec
    from optgen.errors import OptgenError as OptgenError
    from optgen.relations.relating import relate as relate
    from optgen.runtime.load import load_kernel as load_kernel
    from optgen.sheet import property_sheet as property_sheet
    from optgen.spec import Hyperparameter as Hyperparameter
    from optgen.spec import Let as Let
    from optgen.spec import OptimizerSpec as OptimizerSpec
    from optgen.spec import Reference as Reference
    from optgen.spec import Set as Set
    from optgen.spec import StateBuffer as StateBuffer
    from optgen.verify import compare as compare

    __version__: str

_HOMES = {
    "Hyperparameter": "optgen.spec",
    "Let": "optgen.spec",
    "OptgenError": "optgen.errors",
    "OptimizerSpec": "optgen.spec",
    "Reference": "optgen.spec",
    "Set": "optgen.spec",
    "StateBuffer": "optgen.spec",
    "__version__": "optgen.version",
    "compare": "optgen.verify",
    "load_kernel": "optgen.runtime.load",
    "load_spec": "optgen.configuration",
    "relate": "optgen.relations",
    "property_sheet": "optgen.sheet",
}
"""The module that defines each public name."""

__all__ = [
    "Hyperparameter",
    "Let",
    "OptgenError",
    "OptimizerSpec",
    "Reference",
    "Set",
    "StateBuffer",
    "__version__",
    "compare",
    "load_kernel",
    "load_spec",
    "property_sheet",
    "relate",
    "relate",
]


def __getattr__(name: str) -> Any:
    """Import the module of a public name, on the first use of the name."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'optgen' has no attribute '{name}'")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
