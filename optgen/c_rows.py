"""The rows of compiled C in the table of a build: compiled, run, compared."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import ModuleType

from optgen.backends.base import SourceFile
from optgen.crosscheck import inputs
from optgen.crosscheck.c_run import Tensor, run_c
from optgen.crosscheck.interpret import host_values, kernel_scalars, run_sums
from optgen.crosscheck.numpy_run import run_module
from optgen.errors import BackendUnavailable
from optgen.ir import Kernel
from optgen.report import Row
from optgen.runtime.c_library import CLibrary
from optgen.runtime.compiler import Compiler, find_compiler
from optgen.runtime.libraries import compiled_library
from optgen.spec import OptimizerSpec

THREADS = (1, 2, 3, 7)
"""Numbers of threads that every rule is run with."""


@dataclass(frozen=True, slots=True)
class CompiledC:
    """The compiled C of one rule, or the reason why there is none."""

    compiler: Compiler | None
    library: CLibrary | None
    reason: str = ""


def compile_c(spec: OptimizerSpec, source: SourceFile) -> CompiledC:
    """Compile the C of a rule, or say what is missing.

    Raises:
        CompileError: The compiler refused the text.
    """
    try:
        compiler = find_compiler()
    except BackendUnavailable as error:
        return CompiledC(None, None, f"{error.what} ({error.fix})")
    path = compiled_library(compiler, source.text, f"{spec.identifier}.c")
    try:
        return CompiledC(compiler, CLibrary(path, spec.identifier))
    except OSError as error:
        return CompiledC(compiler, None, f"compiled C cannot be loaded: {error}")


def c_levels(compiled: CompiledC, proof: str) -> tuple[str, ...]:
    """Return what the summary says of compiled C; `proof` says what was read of it."""
    if compiled.compiler is None or compiled.library is None:
        return (f"compile and run (C): off, {compiled.reason}",)
    flags = " ".join(compiled.compiler.flags())
    return (
        f"compile (C): {compiled.compiler.version}, {flags}.",
        f"run (C): natively, the bits of the NumPy kernel with {_list(THREADS)} threads, one "
        "tensor a call and all in one; memory beside the arrays is left alone.",
        proof,
    )


def _list(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers[:-1])) + f" and {numbers[-1]}"


def c_row(spec: OptimizerSpec, kernel: Kernel, module: ModuleType, compiled: CompiledC) -> Row:
    """Return the row of one type."""
    started = time.perf_counter()
    failures: tuple[str, ...] = ()
    compiler, library = compiled.compiler, compiled.library
    if library is not None:
        difference = c_difference(spec, kernel, module, library)
        failures = (difference,) if difference else ()
    here = compiler is not None and library is not None
    return Row(
        rule=spec.name,
        target="c",
        dtype=kernel.arithmetic.value,
        algebra="",
        proof="",
        compile=compiler.short if compiler is not None and here else f"off: {compiled.reason}",
        run=("failed" if failures else "= NumPy") if here else "off",
        registers=None,
        spills=None,
        bytes_per_parameter=None,
        seconds=time.perf_counter() - started,
        failures=failures,
    )


def c_difference(spec: OptimizerSpec, kernel: Kernel, module: ModuleType, library: CLibrary) -> str:
    """Run every case alone, and all in one call, with all numbers of threads.

    Returns:
        The first thing that is wrong, or an empty string.
    """
    hyperparameters = inputs.hyperparameters(spec)
    states = inputs.scalar_states(kernel)
    tensors, expected = [], []
    for case in inputs.cases(kernel):
        arrays = inputs.arrays(kernel, spec, case)
        host = host_values(kernel, hyperparameters, case.step, states, case.n)
        scalars = kernel_scalars(kernel, host)
        tensors.append(Tensor(case, arrays, scalars))
        wanted, _ = run_module(module, kernel, arrays, hyperparameters, states, case)
        # A root or a quotient can hide a wrong last bit of a sum, so sums are compared too.
        sums = run_sums(kernel, arrays, scalars) if case.n else {}
        expected.append((wanted, sums))
    groups = [(range(i, i + 1), 1) for i in range(len(tensors))]
    groups += [(range(len(tensors)), threads) for threads in THREADS]
    for group, threads in groups:
        runs = run_c(library, kernel, [tensors[i] for i in group], threads)
        for index, run in zip(group, runs, strict=True):
            wanted, sums = expected[index]
            said = inputs.first_difference(wanted, run.arrays)
            said = said or inputs.first_difference(sums, run.sums)
            said = said or (f"memory beside {run.beyond} is written" if run.beyond else "")
            if said:
                alone = "alone" if len(group) == 1 else f"among {len(group)} tensors"
                return f"{tensors[index].case}, {alone}, {threads} threads: {said}"
    return ""
