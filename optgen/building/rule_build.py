"""Builds one rule: from its spec to checked files. Runs in a process of its own."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from types import ModuleType

from optgen.backends import BACKENDS
from optgen.backends.abi import abi
from optgen.backends.base import Heading, SourceFile
from optgen.building.algebra_proof import Algebra, check_algebra
from optgen.building.c_rows import c_levels, c_row, compile_c
from optgen.building.code_proof import (
    OF_MIXES,
    CodeProof,
    prove_c_file,
    prove_compiled,
    prove_module,
)
from optgen.building.report import Row, RuleBuild, joined
from optgen.building.unchecked import unchecked_rows, why_unchecked
from optgen.crosscheck import inputs
from optgen.crosscheck.accuracy import Accuracy, measure
from optgen.crosscheck.cuda_run import run_ptx
from optgen.crosscheck.interpret import host_values, kernel_scalars, run_stages, run_sums
from optgen.crosscheck.numpy_run import load_module, run_module
from optgen.crosscheck.ptx import Module, PtxFault, PtxUnsupported, parse
from optgen.errors import BackendUnavailable
from optgen.ir import DType, Kernel
from optgen.lower import lower
from optgen.passes import run_passes
from optgen.passes.storage import store_as
from optgen.passes.unstored import without_storage
from optgen.runtime.cache import compile_cached
from optgen.runtime.cuda.images import image_seal
from optgen.runtime.nvrtc import Compiled, Nvrtc, find_nvrtc
from optgen.spec import OptimizerSpec
from optgen.storage import parse_storage

_PROVED = (
    "proved: equal means that the lowered kernel is proved equal to its rule over the reals, that "
    "its states stay in their domains, and that the printed and compiled code has the lowered "
    "kernel's bits, for all values."
)

MAX_REGISTERS = 128
"""Ceiling on registers per thread: two blocks of 256 threads must fit on a multiprocessor."""


@dataclass(frozen=True, slots=True)
class _Compiled:
    """The CUDA of one rule for one architecture."""

    arch: str
    compiled: Compiled
    module: Module


def build_rule(
    spec: OptimizerSpec,
    targets: tuple[str, ...],
    dtypes: tuple[str, ...],
    archs: tuple[str, ...],
    storages: tuple[str, ...] = (),
) -> RuleBuild:
    """Generate, compile and check the kernels of one rule.

    Args:
        spec: The rule.
        targets: Backends to print.
        dtypes: Types to print.
        archs: Architectures to compile CUDA for.
        storages: Storage mixes to print besides.

    Raises:
        UsageError: A mix makes no sense for this rule.
    """
    kernels = tuple(run_passes(lower(spec, DType(d))) for d in dtypes)
    parts = [_build(spec, Heading.of(spec), kernels, targets, archs)]
    for mix in map(parse_storage, storages):
        kernel = store_as(run_passes(lower(spec, mix.arithmetic)), mix)
        parts.append(_build(spec, Heading.of(spec, mix), (kernel,), targets, archs))
    return joined(parts, storages)


def _build(
    spec: OptimizerSpec,
    heading: Heading,
    kernels: tuple[Kernel, ...],
    targets: tuple[str, ...],
    archs: tuple[str, ...],
) -> RuleBuild:
    """Build one file per target: the kernels of every type, or that of one mix."""
    files = {t: BACKENDS[t].render(heading, kernels) for t in targets}
    algebra = {k.label: check_algebra(spec, without_storage(k)) for k in kernels}
    # Compiled CUDA is compared with the NumPy kernel, asked for or not.
    text = BACKENDS["numpy"].render(heading, kernels)[0].text
    proofs: dict[tuple[str, str], CodeProof] = {}
    rows: list[Row] = []
    unchecked = why_unchecked(kernels)
    module = load_module(heading.identifier, text)
    doubts = dict.fromkeys(doubt for found in algebra.values() for doubt in found.doubts)
    levels = [_PROVED, *(f"algebra: {spec.name}: not proved: {doubt}" for doubt in doubts)]
    binaries: list[tuple[str, bytes]] = []
    if "numpy" in targets:
        if not unchecked:
            rows += [_numpy_row(spec, kernel, module) for kernel in kernels]
        proofs |= {("numpy", k.label): prove_module(k, text) for k in kernels}
    if "c" in targets:
        native = compile_c(spec, files["c"][0], heading.identifier)
        if not unchecked:
            rows += [c_row(spec, kernel, module, native) for kernel in kernels]
        found, level = prove_c_file(native.compiler, kernels, files["c"][0])
        proofs |= {("c", label): proof for label, proof in found.items()}
        levels += c_levels(native, level)
    if "cuda" in targets:
        compiled, reason = _compile(spec, files["cuda"][0], archs)
        if not unchecked:
            rows += [_cuda_row(spec, kernel, module, compiled, reason) for kernel in kernels]
        modules = {item.arch: item.module for item in compiled}
        proofs |= {("cuda", k.label): prove_compiled(k, modules) for k in kernels}
        for item in compiled:
            stem = f"cuda/{heading.identifier}.{item.arch}"
            binaries.append((f"{stem}.cubin", item.compiled.cubin))
            binaries.append((f"{stem}.ptx", item.compiled.ptx.encode()))
            seal = image_seal(files["cuda"][0].text, item.compiled.cubin)
            binaries.append((f"{stem}.sha256", seal.encode()))
        levels += _levels(compiled, reason)
    if unchecked:
        rows = unchecked_rows(heading, kernels[0], targets)
        levels = [f"run ({kernels[0].label}): off, {unchecked}", *levels]
    unread = CodeProof(unread=True)
    rows = [
        _proved(row, algebra[row.dtype], proofs.get((row.target, row.dtype), unread))
        for row in rows
    ]
    levels += [OF_MIXES for kernel in kernels if kernel.mixed]
    unproved = dict.fromkeys(doubt for found in proofs.values() for doubt in found.doubts)
    levels += [f"proof: {spec.name}: not proved: {doubt}" for doubt in unproved]
    return RuleBuild(
        rule=spec.name,
        digest=heading.digest,
        files=tuple(f for t in targets for f in files[t]),
        binaries=tuple(binaries),
        rows=tuple(rows),
        levels=tuple(levels),
    )


def _proved(row: Row, algebra: Algebra, proof: CodeProof) -> Row:
    """Return a row with what was proved of its kernel and of its code."""
    return replace(
        row,
        algebra=algebra.word,
        proof=proof.word,
        failures=(*algebra.failures, *(f"proof: {f}" for f in proof.failures), *row.failures),
        seconds=row.seconds + proof.seconds,
    )


def _numpy_row(spec: OptimizerSpec, kernel: Kernel, module: ModuleType) -> Row:
    started = time.perf_counter()
    failures: list[str] = []
    hyperparameters = inputs.hyperparameters(spec, kernel)
    states = inputs.scalar_states(kernel)
    for case in inputs.cases(kernel):
        arrays = inputs.arrays(kernel, spec, case)
        host = host_values(kernel, hyperparameters, case.step, states, case.n)
        random = inputs.random_of(kernel, case)
        expected = run_stages(kernel, arrays, kernel_scalars(kernel, host), random)
        found, scalars = run_module(module, kernel, arrays, hyperparameters, states, case)
        difference = inputs.first_difference(expected, found)
        if difference:
            failures.append(f"the module differs from the IR at {case}: {difference}")
        if scalars != {name: float(host[name]) for name in states}:
            failures.append(f"scalar states differ from the IR at {case}: {scalars}")
    accuracy = measure(module, kernel, spec)
    if not accuracy.worst <= 1:
        failures.append(
            f"{accuracy.where} is {accuracy.worst:.3g} times further from the rule "
            "than rounding can take it"
        )
    if not accuracy.lowering <= 1e-40:
        failures.append(f"over the reals the IR is not the rule: {accuracy.lowering:.3g} off")
    return Row(
        rule=spec.name,
        target="numpy",
        dtype=kernel.label,
        algebra="",
        proof="",
        compile="",
        run="failed" if failures else _error_in_words(accuracy),
        registers=None,
        spills=None,
        bytes_per_parameter=None,
        seconds=time.perf_counter() - started,
        failures=tuple(failures),
    )


def _error_in_words(accuracy: Accuracy) -> str:
    """Say how near to its bound the largest error is, and how many values had no bound."""
    if accuracy.in_doubt == accuracy.total:
        return "in doubt throughout"
    text = f"{accuracy.worst:.2f} bound"
    if accuracy.in_doubt:
        text += f", {accuracy.in_doubt}/{accuracy.total} in doubt"
    return text


def _compile(
    spec: OptimizerSpec, source: SourceFile, archs: tuple[str, ...]
) -> tuple[tuple[_Compiled, ...], str]:
    """Return the compiled code, or nothing and the reason."""
    try:
        nvrtc: Nvrtc = find_nvrtc()
    except BackendUnavailable as error:
        return (), f"{error.what} ({error.fix})"
    supported = {f"sm_{number}" for number in nvrtc.archs()}
    known = [arch for arch in archs if arch.rstrip("af") in supported]
    if unknown := [arch for arch in archs if arch not in known]:
        raise BackendUnavailable(
            f"NVRTC {nvrtc.version[0]}.{nvrtc.version[1]} does not know {', '.join(unknown)}",
            fix=f"choose among {', '.join(sorted(supported))}",
        )
    results = []
    for arch in archs:
        compiled = compile_cached(nvrtc, source.text, f"{spec.identifier}.cu", arch)
        results.append(_Compiled(arch, compiled, parse(compiled.ptx)))
    return tuple(results), ""


def _levels(compiled: tuple[_Compiled, ...], reason: str) -> tuple[str, ...]:
    if reason:
        return (f"compile and run (CUDA): off, {reason}",)
    archs = ", ".join(item.arch for item in compiled)
    major, minor = find_nvrtc().version
    return (
        f"compile: NVRTC {major}.{minor} for {archs}; no spills.",
        "run: the compiled PTX, executed on the CPU, gives the bits of the NumPy kernel; "
        "bounds, alignment and races checked.",
        "gpu: not run by build.",
    )


def _resources(kernel: Kernel, compiled: tuple[_Compiled, ...]) -> tuple[int | None, int | None]:
    """Return the most registers per thread and the most bytes spilled, over all launches."""
    entries = {launch.entry for launch in abi(kernel).launches}
    found = [
        resource
        for item in compiled
        for entry, resource in item.compiled.resources.items()
        if entry in entries
    ]
    registers = max((r.registers for r in found), default=None)
    return registers, max((r.spill_stores + r.spill_loads for r in found), default=None)


def _cuda_row(
    spec: OptimizerSpec,
    kernel: Kernel,
    module: ModuleType,
    compiled: tuple[_Compiled, ...],
    reason: str,
) -> Row:
    started = time.perf_counter()
    registers, spills = _resources(kernel, compiled)
    compile_failures = []
    if spills:
        compile_failures.append(f"{spills} bytes of registers are spilled to memory")
    if registers is not None and registers > MAX_REGISTERS:
        compile_failures.append(f"{registers} registers per thread, more than {MAX_REGISTERS}")
    for item in compiled:
        for launch in abi(kernel).launches:
            # ptxas may fuse what does not say how it rounds; then the PTX is not what runs.
            if loose := item.module.entries[launch.entry].contractible():
                compile_failures.append(f"{item.arch}: {len(loose)} operations may be fused")
    run_failures = []
    traffic: float | None = None
    for item in compiled:
        difference, traffic = _run_cuda(spec, kernel, module, item)
        run_failures += [f"{item.arch}: {difference}"] if difference else []
    archs = " ".join(item.arch for item in compiled)
    return Row(
        rule=spec.name,
        target="cuda",
        dtype=kernel.label,
        algebra="",
        proof="",
        compile=f"off: {reason}" if reason else "failed" if compile_failures else archs,
        run="off" if reason else "failed" if run_failures else "= NumPy",
        registers=registers,
        spills=spills,
        bytes_per_parameter=traffic,
        seconds=time.perf_counter() - started,
        failures=(*compile_failures, *run_failures),
    )


def _run_cuda(
    spec: OptimizerSpec, kernel: Kernel, module: ModuleType, item: _Compiled
) -> tuple[str, float | None]:
    """Run every case; return the first thing that is wrong, and bytes per parameter."""
    hyperparameters = inputs.hyperparameters(spec, kernel)
    states = inputs.scalar_states(kernel)
    traffic: float | None = None
    for case in inputs.cases(kernel):
        arrays = inputs.arrays(kernel, spec, case)
        expected, _ = run_module(module, kernel, arrays, hyperparameters, states, case)
        host = host_values(kernel, hyperparameters, case.step, states, case.n)
        scalars = kernel_scalars(kernel, host)
        try:
            run = run_ptx(item.module, kernel, abi(kernel), arrays, scalars, case)
        except (PtxFault, PtxUnsupported) as error:
            return f"{case}: {error}", None
        if difference := inputs.first_difference(expected, run.arrays):
            return f"{case}: {difference}", None
        # A root or a quotient can hide a wrong last bit of a sum, so sums are compared too.
        random = inputs.random_of(kernel, case)
        sums = run_sums(kernel, arrays, scalars, random) if run.sums else {}
        if difference := inputs.first_difference(sums, run.sums):
            return f"{case}: {difference}", None
        if case.n == max(inputs.SIZES):
            traffic = run.bytes / case.n
    return "", traffic
