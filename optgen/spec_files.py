"""Which files declare rules; known without running any."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from optgen.errors import UsageError


def spec_path(text: str, where: object) -> Path:
    """Return the path of a folder or file of rules that somebody wrote down.

    Args:
        text: What was written.
        where: The place it was written in, for the error.

    Raises:
        UsageError: The text is empty; as a path it would be the current folder.
    """
    if not text:
        raise UsageError(
            "an empty text names no folder of specs",
            where=where,
            fix="name a folder; the current one is '.'",
        )
    return Path(text)


def spec_files(folders: Iterable[Path]) -> tuple[Path, ...]:
    """Return the spec files of some folders, sorted by name, without those that begin with `_`.

    Raises:
        UsageError: A folder does not exist, or a file does not end in .py.
    """
    found: list[Path] = []
    for folder in folders:
        if folder.is_dir():
            found += [p for p in sorted(folder.glob("*.py")) if not p.name.startswith("_")]
        elif not folder.exists():
            kind = "file" if folder.suffix == ".py" else "folder"
            raise UsageError(
                f"there is no {kind} of specs '{folder}'",
                fix="check --specs and [tool.optgen] specs",
            )
        elif folder.is_file() and folder.suffix == ".py":
            found.append(folder)
        else:
            raise UsageError(
                "this is neither a folder nor a Python file, and is not run",
                where=folder,
                fix="name a folder of rules, or a file that ends in .py",
            )
    return tuple(found)
