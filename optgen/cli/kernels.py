"""Levels `compile`, `run` and `proof` of `optgen verify`: a build's checks, nothing written."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from optgen.building.report import Row
from optgen.building.request import BuildRequest
from optgen.cli.outcome import Check, Outcome
from optgen.cli.selection import select
from optgen.errors import BackendUnavailable
from optgen.pipeline import build_rules


@cache
def _rows(
    names: tuple[str, ...], claims: Path | None, folders: tuple[Path, ...]
) -> tuple[Row, ...]:
    """Build rules in memory, once for all levels."""
    chosen = select(names, claims, folders)
    request = BuildRequest(
        names=(),
        targets=("numpy", "c", "cuda"),
        dtypes=("float32", "float64"),
        archs=(),
        out=Path("generated"),
        specs=folders,
        jobs=os.cpu_count() or 1,
    )
    built = build_rules(chosen.rules, request, chosen.catalogue)
    return tuple(row for result in built for row in result.rows)


def check_compiled(
    names: tuple[str, ...], claims: Path | None, folders: tuple[Path, ...]
) -> tuple[Check, ...]:
    """Return whether the kernels of some rules compile, for every type: CUDA without spills.

    Raises:
        BackendUnavailable: There is no compiler, neither for CUDA nor for C.
    """
    checks = []
    rows = [row for row in _rows(names, claims, folders) if row.target != "numpy"]
    missing = dict.fromkeys(row.compile for row in rows if row.compile.startswith("off"))
    for row in rows:
        if row.compile in missing:
            continue
        outcome: Outcome = "failed" if row.compile == "failed" else "passed"
        detail = row.compile
        if row.target == "cuda":
            detail += f"; {row.registers} registers, {row.spills} bytes spilled"
        checks.append(Check(f"{row.rule} ({row.target}, {row.dtype})", outcome, detail))
    if missing and not checks:
        raise BackendUnavailable("; ".join(reason.removeprefix("off: ") for reason in missing))
    return tuple(checks)


def check_run(
    names: tuple[str, ...], claims: Path | None, folders: tuple[Path, ...]
) -> tuple[Check, ...]:
    """Return whether kernels of some rules give the right bits when they run.

    NumPy kernels are compared with the IR and the oracle; where there is a
    compiler, compiled C is run and compiled CUDA executed on the CPU, and compared with NumPy.
    """
    checks = []
    for row in _rows(names, claims, folders):
        if row.run == "off":
            continue
        failed = row.run == "failed"
        detail = "; ".join(row.failures) if failed else row.run
        name = f"{row.rule} ({row.target}, {row.dtype})"
        checks.append(Check(name, "failed" if failed else "passed", detail))
    return tuple(checks)


def check_proof(
    names: tuple[str, ...], claims: Path | None, folders: tuple[Path, ...]
) -> tuple[Check, ...]:
    """Return whether the code of some rules is proved to have its kernel's bits.

    NumPy modules are always looked at; compiled CUDA where there is a compiler.
    """
    words: dict[str, Outcome] = {"equal": "passed", "failed": "failed", "unknown": "unknown"}
    checks = []
    for row in _rows(names, claims, folders):
        if row.proof in ("off", "not looked at"):
            continue
        said = "; ".join(f for f in row.failures if f.startswith("proof: "))
        name = f"{row.rule} ({row.target}, {row.dtype})"
        checks.append(Check(name, words[row.proof], said))
    return tuple(checks)
