"""The seam between `optgen verify` and what does the checking: one runner for each level.

A runner takes the request and returns its checks; it raises
`BackendUnavailable` where a tool is missing, which turns the level off with
that reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from optgen.cli.outcome import Check, Findings
from optgen.doctor import LEVELS
from optgen.errors import BackendUnavailable


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    """What `optgen verify` is asked for.

    Attributes:
        names: Rules or claims; all of them if empty.
        levels: Levels asked for by name; all of them if empty.
        claims: Folder of claim files, or None.
        specs: Folders of rules besides optgen's own.
    """

    names: tuple[str, ...]
    levels: tuple[str, ...]
    claims: Path | None
    specs: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class LevelReport:
    """What one level found.

    Attributes:
        level: Its name.
        checks: What was looked at.
        off: Why it did not run; empty if it did.
        notes: What ran with which tools, and what of the level did not and why.
    """

    level: str
    checks: tuple[Check, ...] = ()
    off: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What every level found.

    Attributes:
        levels: One report for each level, in the order of `doctor.LEVELS`.
        demanded: Levels that were asked for by name.
    """

    levels: tuple[LevelReport, ...]
    demanded: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 if all that ran passed; 1 if a check did not; 2 if a level asked for could not run."""
        if any(c.outcome != "passed" for report in self.levels for c in report.checks):
            return 1
        off = {report.level for report in self.levels if report.off}
        return BackendUnavailable.exit_code if off & {*self.demanded} else 0

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON document."""
        return {"levels": [asdict(report) for report in self.levels], "exit_code": self.exit_code}


Runner = Callable[[VerifyRequest], tuple[Check, ...] | Findings]


def run_levels(request: VerifyRequest) -> VerifyReport:
    """Run the levels asked for; a level that cannot run is in the report with its reason."""
    wanted = [v.name for v in LEVELS if not request.levels or v.name in request.levels]
    return VerifyReport(tuple(_run(level, request) for level in wanted), request.levels)


def _run(level: str, request: VerifyRequest) -> LevelReport:
    try:
        found = RUNNERS[level](request)
    except BackendUnavailable as error:
        fix = f": {error.fix}" if error.fix else ""
        return LevelReport(level, off=f"{error.what}{fix}")
    if isinstance(found, Findings):
        return LevelReport(level, found.checks, notes=found.notes)
    return LevelReport(level, found)


def _algebra(request: VerifyRequest) -> tuple[Check, ...]:
    from optgen.cli.claims import check_algebra

    return check_algebra(request.names, request.claims, request.specs)


def _compile(request: VerifyRequest) -> tuple[Check, ...]:
    from optgen.cli.kernels import check_compiled

    return check_compiled(request.names, request.claims, request.specs)


def _run_kernels(request: VerifyRequest) -> tuple[Check, ...]:
    from optgen.cli.kernels import check_run

    return check_run(request.names, request.claims, request.specs)


def _proof(request: VerifyRequest) -> tuple[Check, ...]:
    from optgen.cli.kernels import check_proof

    return check_proof(request.names, request.claims, request.specs)


def _host(request: VerifyRequest) -> Findings:
    from optgen.cli.host import check_host

    return check_host(request.names, request.claims, request.specs)


def _launch(request: VerifyRequest) -> Findings:
    from optgen.cli.launch import check_launch

    return check_launch(request.names, request.claims, request.specs)


def _gpu(request: VerifyRequest) -> Findings:
    from optgen.cli.gpu import check_gpu

    return check_gpu(request.names, request.claims, request.specs)


RUNNERS: Mapping[str, Runner] = {
    "algebra": _algebra,
    "compile": _compile,
    "run": _run_kernels,
    "proof": _proof,
    "host": _host,
    "launch": _launch,
    "gpu": _gpu,
}
