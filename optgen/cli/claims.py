"""The level `algebra` of `optgen verify`: every rule equals itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from optgen.cli.outcome import Check, Outcome
from optgen.configuration import find_spec, open_catalogue
from optgen.errors import UsageError

OUTCOMES: Mapping[str, Outcome] = {
    "equal": "passed",
    "different": "failed",
    "unknown": "unknown",
}
"""What a verdict means for the claim that a rule equals itself."""


def check_algebra(
    names: tuple[str, ...], claims: Path | None, folders: tuple[Path, ...]
) -> tuple[Check, ...]:
    """Check rules. Claims that are kept in files are refused until there is a reader for them.

    Args:
        names: Rules; all of them if empty.
        claims: Folder of claim files.
        folders: Folders of rules besides optgen's own.
    """
    from optgen import verify

    if claims is not None:
        raise UsageError(
            "claim files cannot be checked yet", where=claims, fix="leave --claims away"
        )
    catalogue = open_catalogue(folders)
    specs = [find_spec(catalogue, name, folders) for name in names] or list(catalogue.values())
    checks = []
    for spec in specs:
        # A decider that calls a rule different from itself, or cannot tell, is good for nothing.
        comparison = verify.compare(spec, spec)
        outcome = OUTCOMES[comparison.verdict]
        checks.append(Check(spec.name, outcome, "equals itself"))
    return tuple(checks)
