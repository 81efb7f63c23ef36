"""Which files declare rules; known without running any."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from optgen.errors import UsageError


def spec_files(folders: Iterable[Path]) -> tuple[Path, ...]:
    """Return the spec files of some folders, sorted by name, without those that begin with `_`.

    Raises:
        UsageError: A folder does not exist.
    """
    found: list[Path] = []
    for folder in folders:
        if folder.is_file():
            found.append(folder)
        elif folder.is_dir():
            found += [p for p in sorted(folder.glob("*.py")) if not p.name.startswith("_")]
        else:
            raise UsageError(
                f"there is no folder of specs '{folder}'",
                fix="check --specs and [tool.optgen] specs",
            )
    return tuple(found)
