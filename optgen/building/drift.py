"""How a folder of generated files differs from what a build gives."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

_LINES = 40


def differences(
    folder: Path, wanted: Mapping[str, str], *, whole: frozenset[str]
) -> tuple[str, ...]:
    """Return a unified difference per file, the beginning of it if it is long.

    Args:
        folder: What is there.
        wanted: What should be there: text by relative path.
        whole: Folders in which files that are not wanted are differences too.
    """
    lines: list[str] = []
    for name in sorted(wanted):
        path = folder / name
        if not path.is_file():
            lines.append(f"{name}: missing")
            continue
        text = path.read_bytes().decode("utf-8", errors="replace")
        if text != wanted[name]:
            change = difflib.unified_diff(
                text.splitlines(), wanted[name].splitlines(), f"a/{name}", f"b/{name}", lineterm=""
            )
            shown = list(change)
            lines += shown[:_LINES]
            if len(shown) > _LINES:
                lines.append(f"... {len(shown) - _LINES} more lines")
            lines += [] if shown else [f"{name}: line ends or the last newline differ"]
    extra = {n for n in listed(folder) if n.split("/")[0] in whole} if folder.is_dir() else set()
    lines += [f"{name}: not built by any rule" for name in sorted(extra - set(wanted))]
    return tuple(lines)


def listed(folder: Path) -> set[str]:
    """Return the files of the target folders; caches and the build's own notes left out."""
    found = (p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    return {p.as_posix() for p in found if ".build" not in p.parts and "__pycache__" not in p.parts}
