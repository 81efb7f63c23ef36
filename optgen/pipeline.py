"""The compiler on one screen.

| stage | in | out | where |
| --- | --- | --- | --- |
| load | spec files | `Catalogue` of `OptimizerSpec` | `loader` |
| algebra | a spec | verdict: it equals itself, states stay in their domains | `verify` |
| lower | a spec and a type | `Kernel` | `lower`, `stages` |
| passes | a kernel | a kernel without powers and loop-invariant arithmetic | `passes` |
| render | kernels of all types | source files | `backends`, `render`, templates/ |
| compile | CUDA text and an architecture; C text | PTX, cubin, registers; library | `runtime` |
| run | compiled code | same bits as NumPy, within the bound of the oracle | `crosscheck` |
| write | all files | the output folder, exchanged as a whole | `output` |

Rules are independent of each other, so they are built in parallel processes. A
build whose inputs have not changed is recognised from hashes before sympy is
imported; files of rules that have not changed are taken as they are.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from optgen.building.output import check_folder, locked
from optgen.building.record import Record, fingerprint
from optgen.building.report import BuildReport, Row, RuleBuild
from optgen.building.request import DEFAULT_ARCHS, TARGETS, BuildRequest

if TYPE_CHECKING:
    from optgen.loader import Catalogue

_PR_SET_PDEATHSIG = 1


def run_build(
    request: BuildRequest, progress: Callable[[int, int], None] = lambda done, total: None
) -> BuildReport:
    """Build rules and write them, or say in a report what does not hold.

    Args:
        request: What to build.
        progress: Is told after each rule how many are done and how many there are.

    Raises:
        SpecError: A spec file is broken; nothing is written.
        UsageError: A rule does not exist.
        RenderError: The output folder cannot be written.
    """
    base = fingerprint(request)
    known = Record.read(request.out)
    if not request.check:
        check_folder(request.out, frozenset((*TARGETS, ".build")))
    if not request.check and known.is_current(base, request):
        return known.report(request, reused=True)

    from optgen.loader import load_catalogue

    catalogue = load_catalogue(request.specs)
    request = replace(
        request, names=tuple(dict.fromkeys(catalogue[name].name for name in request.names))
    )
    names = request.names or tuple(catalogue)
    wanted = request.storages
    fresh = [n for n in names if request.check or not known.holds(base, catalogue[n], wanted)]
    results = []
    mixes = {name: tuple(sorted({*known.storages(name), *wanted})) for name in fresh}
    for result in build_rules(fresh, request, catalogue, mixes):
        results.append(result)
        progress(len(results), len(fresh))
    if any(row.failures for result in results for row in result.rows):
        return _failed(results)
    if request.check:
        return _compared(results, known.updated(base, results, catalogue, request), request)
    with locked(request.out):
        known = Record.read(request.out)  # another build may have written in the meantime
        edited = known.edited(results)
        record = known.updated(base, results, catalogue, request)
        stale = frozenset() if request.names else known.stale(record)
        record.write(request.out, results, stale)
    return record.report(request, built=len(results), removed=stale, edited=edited)


def build_rules(
    names: Iterable[str],
    request: BuildRequest,
    catalogue: Catalogue,
    mixes: Mapping[str, tuple[str, ...]] | None = None,
) -> Iterator[RuleBuild]:
    """Yield what building each rule gives, the rules with reductions first: they take longest.

    Nothing is written; `names` are names in the catalogue, `mixes` their storage mixes.
    """
    from optgen.building.rule_build import build_rule
    from optgen.symbols import REDUCTIONS

    def has_no_reduction(name: str) -> bool:
        return not any(a.value.has(*REDUCTIONS) for a in catalogue[name].rule)

    ordered = sorted(names, key=has_no_reduction)
    settings = (request.targets, request.dtypes, request.archs or DEFAULT_ARCHS)
    if request.jobs == 1 or len(ordered) < 2:
        for name in ordered:
            yield build_rule(catalogue[name], *settings, (mixes or {}).get(name, ()))
        return
    context = multiprocessing.get_context("fork" if _can_fork() else "spawn")
    workers = min(request.jobs, len(ordered))
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_follow_parent) as pool:
        tasks = [
            pool.submit(build_rule, catalogue[name], *settings, (mixes or {}).get(name, ()))
            for name in ordered
        ]
        for task in tasks:
            yield task.result()


def _follow_parent() -> None:
    """End a worker when its parent ends, however it ends; leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(AttributeError, OSError, TypeError):  # Linux only
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _can_fork() -> bool:
    """Whether a child may inherit what is loaded: quicker, where no other thread holds a lock."""
    import threading

    return "fork" in multiprocessing.get_all_start_methods() and threading.active_count() == 1


def _failed(results: Iterable[RuleBuild]) -> BuildReport:
    rows = tuple(row for result in results for row in result.rows)
    failures = [
        f"{row.rule} ({row.target}, {row.dtype}): {failure}"
        for row in rows
        for failure in row.failures
    ]
    return BuildReport(rows, ("Nothing was written: a check failed.", *failures), failed=True)


def _compared(results: Iterable[RuleBuild], record: Record, request: BuildRequest) -> BuildReport:
    """Compare what a build gives with what the output folder holds."""
    from optgen.building.drift import differences

    rows: tuple[Row, ...] = tuple(row for result in results for row in result.rows)
    wanted = {file.path: file.text for result in results for file in result.files}
    wanted["MANIFEST.json"] = record.manifest()
    folders = frozenset() if request.names else frozenset(request.targets)
    found = differences(request.out, wanted, whole=folders)
    if not found:
        return BuildReport(rows, (f"{request.out} is what optgen builds.",))
    lines = (f"{request.out} is not what optgen builds; run `optgen build`.", *found)
    return BuildReport(rows, lines, failed=True)
