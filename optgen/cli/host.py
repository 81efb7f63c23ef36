"""Level `host` of `optgen verify`: CUDA text as C++ at large sizes, C under sanitizers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

from optgen.cli.outcome import Check, Findings
from optgen.cli.selection import select
from optgen.errors import BackendUnavailable, CompileError
from optgen.ir import DType, Kernel
from optgen.spec import OptimizerSpec


@dataclass(frozen=True, slots=True)
class _Rule:
    """One rule, printed."""

    spec: OptimizerSpec
    kernels: tuple[Kernel, ...]
    module: ModuleType
    c: str
    cuda: str


def check_host(names: tuple[str, ...], claims: Path | None, folders: tuple[Path, ...]) -> Findings:
    """Run the CUDA text of rules as C++, and their C under sanitizers, in child processes.

    Raises:
        BackendUnavailable: There is neither a C++ nor a C compiler.
    """
    from optgen.crosscheck.host.running import HostCompiler, find_cpp
    from optgen.crosscheck.host.sanitizers import (
        ADDRESS,
        EDGES,
        SHARED,
        THREADS,
        fitted,
        why_not,
    )
    from optgen.runtime.compiler import find_compiler

    chosen = select(names, claims, folders)
    notes: list[str] = []
    jobs: list[Callable[[_Rule], Check]] = []
    missing = []
    try:
        cpp = find_cpp()
        sound = why_not(cpp, fitted(cpp, ADDRESS))
        notes.append(f"CUDA text: {cpp.version}, -O2, up to ten million elements")
        jobs.append(partial(_large, compiler=cpp))
        if sound:
            notes.append(f"CUDA text under ASan and UBSan: not run: {sound}")
        else:
            notes.append("CUDA text under ASan and UBSan: edge sizes, races in shared memory")
            jobs.append(partial(_faults, compiler=cpp))
    except BackendUnavailable as error:
        missing.append(error)
        notes.append(f"CUDA text: not run: {error.what}: {error.fix}")
    try:
        found = find_compiler()
        cc = HostCompiler(found.command, found.version)
        for asked, lists in ((ADDRESS, EDGES), (THREADS, SHARED)):
            sanitizer = fitted(cc, asked)
            if reason := why_not(cc, sanitizer):
                notes.append(f"C under {sanitizer.name}: not run: {reason}")
                continue
            notes.append(f"C under {sanitizer.name}: {cc.version}")
            jobs.append(partial(_c, compiler=cc, sanitizer=sanitizer, lists=lists))
    except BackendUnavailable as error:
        missing.append(error)
        notes.append(f"C under sanitizers: not run: {error.what}: {error.fix}")
    if not jobs:
        raise missing[0] if missing else BackendUnavailable("; ".join(notes))
    rules = [_printed(chosen.catalogue[name]) for name in chosen.rules]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        waiting = [pool.submit(job, rule) for rule in rules for job in jobs]
        checks = tuple(job.result() for job in waiting)
    return Findings(checks, tuple(notes))


def _printed(spec: OptimizerSpec) -> _Rule:
    from optgen.backends import BACKENDS
    from optgen.backends.base import Heading
    from optgen.crosscheck.numpy_run import load_module
    from optgen.lower import lower
    from optgen.passes import run_passes

    kernels = tuple(run_passes(lower(spec, dtype)) for dtype in DType)
    heading = Heading.of(spec)
    texts = {t: BACKENDS[t].render(heading, kernels)[0].text for t in ("numpy", "c", "cuda")}
    module = load_module(spec.identifier, texts["numpy"])
    return _Rule(spec, kernels, module, texts["c"], texts["cuda"])


def _large(rule: _Rule, compiler: object) -> Check:
    from optgen.crosscheck.host.cuda import LARGE, LARGEST, cuda_differences
    from optgen.crosscheck.host.running import HostCompiler

    assert isinstance(compiler, HostCompiler)
    # Fibers are slow: sums end at a million elements.
    most = (*LARGE, *(() if rule.kernels[0].reductions else (LARGEST,)))
    found = cuda_differences(rule.spec, rule.kernels, rule.cuda, rule.module, compiler, most)
    largest = max(run.case.n for run in most)
    return _judged(f"{rule.spec.name} (cuda text)", found, f"= NumPy up to {largest} elements")


def _faults(rule: _Rule, compiler: object) -> Check:
    from optgen.crosscheck.host.cuda import FAULTS, SANITIZED, cuda_differences
    from optgen.crosscheck.host.running import HostCompiler

    assert isinstance(compiler, HostCompiler)
    found = cuda_differences(
        rule.spec, rule.kernels, rule.cuda, rule.module, compiler, FAULTS, SANITIZED
    )
    return _judged(f"{rule.spec.name} (cuda text, sanitized)", found, "no fault, = NumPy")


def _c(rule: _Rule, compiler: object, sanitizer: object, lists: object) -> Check:
    from optgen.crosscheck.host.running import HostCompiler
    from optgen.crosscheck.host.sanitizers import Sanitizer, c_faults

    assert isinstance(compiler, HostCompiler)
    assert isinstance(sanitizer, Sanitizer)
    assert isinstance(lists, tuple)
    found = c_faults(rule.spec, rule.kernels, rule.c, rule.module, compiler, sanitizer, lists)
    return _judged(f"{rule.spec.name} (c, {sanitizer.name})", found, "no fault, = NumPy")


def _judged(subject: str, found: Iterable[str], passed: str) -> Check:
    try:
        said = "; ".join(found)
    except CompileError as error:
        lines = error.output.splitlines()
        first = next((line for line in lines if "error" in line), "")
        return Check(subject, "unknown", f"{error.what}: {first}")
    return Check(subject, "failed" if said else "passed", said or passed)
