"""Are two optimizer rules equal? Verdicts, with a witness or a certificate.

`decide` settles whether two expressions are equal wherever both have a value,
`compare` whether two rules compute the same; `explain` puts a comparison into
words. `load_claims` and `check_claims` do it for files of claims, and
`verify_algebra` for a whole catalogue. "Equal" means equal over the reals.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optgen.verify.algebra import AlgebraCheck as AlgebraCheck
    from optgen.verify.algebra import AlgebraReport as AlgebraReport
    from optgen.verify.algebra import verify_algebra as verify_algebra
    from optgen.verify.claims import Claim as Claim
    from optgen.verify.claims import ClaimResult as ClaimResult
    from optgen.verify.claims import check_claims as check_claims
    from optgen.verify.claims import load_claims as load_claims
    from optgen.verify.comparing import compare as compare
    from optgen.verify.comparison import Comparison as Comparison
    from optgen.verify.decision import decide as decide
    from optgen.verify.explanation import explain as explain
    from optgen.verify.verdicts import Proved as Proved
    from optgen.verify.verdicts import Refuted as Refuted
    from optgen.verify.verdicts import Undecided as Undecided

_HOMES = {
    "AlgebraCheck": "algebra",
    "AlgebraReport": "algebra",
    "Claim": "claims",
    "ClaimResult": "claims",
    "Comparison": "comparison",
    "Proved": "verdicts",
    "Refuted": "verdicts",
    "Undecided": "verdicts",
    "check_claims": "claims",
    "compare": "comparing",
    "decide": "decision",
    "explain": "explanation",
    "load_claims": "claims",
    "verify_algebra": "algebra",
}
"""The module that defines each public name."""

__all__ = [
    "AlgebraCheck",
    "AlgebraReport",
    "Claim",
    "ClaimResult",
    "Comparison",
    "Proved",
    "Refuted",
    "Undecided",
    "check_claims",
    "compare",
    "decide",
    "explain",
    "load_claims",
    "verify_algebra",
]


def __getattr__(name: str) -> Any:
    """Import the module of a public name, on the first use of the name."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'optgen.verify' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"optgen.verify.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
