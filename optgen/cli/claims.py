"""The level `algebra` of `optgen verify`: rules equal themselves, claims hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from optgen.cli.outcome import Check, Outcome
from optgen.cli.selection import select

OUTCOMES: Mapping[str, Outcome] = {"ok": "passed", "failed": "failed", "unknown": "unknown"}


def check_algebra(
    names: tuple[str, ...], claims: Path | None, folders: tuple[Path, ...]
) -> tuple[Check, ...]:
    """Check rules and claims.

    Args:
        names: Rules or claims; all of them if empty.
        claims: Folder of claim files, or a file; `./tests/claims` if None and if it is there.
        folders: Folders of rules besides optgen's own.
    """
    from optgen.verify import verify_algebra

    chosen = select(names, claims, folders)
    rules = {name: chosen.catalogue[name] for name in chosen.rules}
    report = verify_algebra(rules, chosen.claims)
    return tuple(
        Check(c.subject, OUTCOMES[c.outcome], f"{c.claim}: {c.detail}" if c.detail else c.claim)
        for c in report.checks
    )
