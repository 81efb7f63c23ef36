"""Is every run of one rule a run of another? Maps between rules, and proofs of their absence.

`relate` searches a map of hyperparameters and states under which the runs of one rule
are runs of another; `explain` puts what it found into words; `check_document` expands
the certificate that there is none.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optgen.relations.expand import check_document as check_document
    from optgen.relations.explanation import explain as explain
    from optgen.relations.relating import relate as relate
    from optgen.relations.relation import Relation as Relation

_HOMES = {
    "Relation": "relation",
    "check_document": "expand",
    "explain": "explanation",
    "relate": "relating",
}
"""The module that defines each public name."""

__all__ = ["Relation", "check_document", "explain", "relate"]


def __getattr__(name: str) -> Any:
    """Import the module of a public name, on the first use of the name."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'optgen.relations' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"optgen.relations.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
