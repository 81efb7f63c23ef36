"""What `optgen verify` is about: the rules and the claims that its arguments name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from optgen.configuration import find_spec, open_catalogue
from optgen.errors import UsageError, nearest

if TYPE_CHECKING:
    from optgen.loader import Catalogue
    from optgen.verify import Claim

CLAIMS = Path("tests/claims")
"""Where claims are looked for when no folder is named."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What to check.

    Attributes:
        catalogue: Every rule that is seen from here.
        rules: Names of the rules to check.
        claims: The claims to check.
    """

    catalogue: Catalogue
    rules: tuple[str, ...]
    claims: tuple[Claim, ...]


def select(names: tuple[str, ...], claims: Path | None, folders: tuple[Path, ...]) -> Selection:
    """Find rules and claims by name; without names, take all of them.

    Args:
        names: Rules or claims.
        claims: Folder of claim files, or a file; `CLAIMS` if None and if it is there.
        folders: Folders of rules besides optgen's own.

    Raises:
        UsageError: A name is neither a rule nor a claim.
        ClaimError: A claim file cannot be read.
    """
    from optgen.verify import load_claims

    catalogue = open_catalogue(folders)
    folder = claims or (CLAIMS if CLAIMS.is_dir() else None)
    known = {c.name: c for c in load_claims(folder, catalogue)} if folder else {}
    if not names:
        return Selection(catalogue, tuple(catalogue), tuple(known.values()))
    for name in names:
        if name not in catalogue and name not in known:
            close = nearest(name, known)
            if close and not nearest(name, catalogue):
                raise UsageError(f"there is no rule and no claim '{name}'", fix=close)
            find_spec(catalogue, name, folders)  # says which rules are near
    rules = tuple(catalogue[name].name for name in names if name in catalogue)
    return Selection(catalogue, rules, tuple(known[name] for name in names if name in known))
