"""What a build is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TARGETS = ("numpy", "c", "cuda")
"""Backends, and the folders that their files go to."""

DEFAULT_ARCHS = ("sm_80", "sm_90")
"""GPU architectures to compile for when none are named."""


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What to build.

    Attributes:
        names: Rules; all of them if empty.
        targets: Backends.
        dtypes: Arithmetic types.
        archs: GPU architectures; `DEFAULT_ARCHS` if empty.
        out: Output folder.
        specs: Folders of rules besides optgen's own.
        check: Compare with the folder instead of writing it.
        jobs: Processes.
        storages: Storage mixes to build besides those that the folder already holds.
    """

    names: tuple[str, ...]
    targets: tuple[str, ...]
    dtypes: tuple[str, ...]
    archs: tuple[str, ...]
    out: Path
    specs: tuple[Path, ...]
    check: bool = False
    jobs: int = 1
    storages: tuple[str, ...] = ()
