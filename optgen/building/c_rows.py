"""The rows of compiled C in the table of a build: compiled, run, compared."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optgen.backends.base import SourceFile
from optgen.backends.c_header import WORDS
from optgen.building.report import Row
from optgen.crosscheck import inputs
from optgen.crosscheck.c_run import Tensor, run_c
from optgen.crosscheck.interpret import host_values, kernel_scalars, run_stages, run_sums
from optgen.crosscheck.numpy_run import run_module
from optgen.errors import BackendUnavailable
from optgen.ir import Kernel
from optgen.runtime.c_library import CLibrary
from optgen.runtime.compiler import Compiler, find_compiler
from optgen.runtime.libraries import compiled_library
from optgen.spec import OptimizerSpec

THREADS = (1, 2, 3, 7)
"""Numbers of threads that every rule is run with."""

STEPS = (1, 2, 3, 7, 1000, 123457, 2**31 + 11)
"""Steps at which host values are compared."""


@dataclass(frozen=True, slots=True)
class CompiledC:
    """The compiled C of one rule, or the reason why there is none."""

    compiler: Compiler | None
    library: CLibrary | None
    reason: str = ""


def compile_c(spec: OptimizerSpec, source: SourceFile, identifier: str = "") -> CompiledC:
    """Compile the C of a rule, or say what is missing.

    Args:
        spec: The rule.
        source: The C file.
        identifier: The rule's name in identifiers, where a storage mix gives it another.

    Raises:
        CompileError: The compiler refused the text.
    """
    try:
        compiler = find_compiler()
    except BackendUnavailable as error:
        return CompiledC(None, None, f"{error.what} ({error.fix})")
    path = compiled_library(compiler, source.text, f"{identifier or spec.identifier}.c")
    try:
        return CompiledC(compiler, CLibrary(path, identifier or spec.identifier))
    except OSError as error:
        return CompiledC(compiler, None, f"compiled C cannot be loaded: {error}")


def c_levels(compiled: CompiledC, proof: str) -> tuple[str, ...]:
    """Return what the summary says of compiled C; `proof` says what was read of it."""
    if compiled.compiler is None or compiled.library is None:
        return (f"compile and run (C): off, {compiled.reason}",)
    flags = " ".join(compiled.compiler.flags())
    return (
        f"compile (C): {compiled.compiler.version}, {flags}.",
        "run (C): natively, host values and all, the bits of the NumPy kernel with "
        f"{_list(THREADS)} threads, one tensor a call and all in one; memory beside the arrays is "
        "left alone.",
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
        difference = host_difference(spec, kernel, library)
        difference = difference or c_difference(spec, kernel, module, library)
        failures = (difference,) if difference else ()
    here = compiler is not None and library is not None
    return Row(
        rule=spec.name,
        target="c",
        dtype=kernel.label,
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


def host_difference(spec: OptimizerSpec, kernel: Kernel, library: CLibrary) -> str:
    """Compare the host function with the host program of the IR.

    Returns:
        The first thing that is wrong, or an empty string.
    """
    hyperparameters = inputs.hyperparameters(spec, kernel)
    given = np.array([hyperparameters[a.name] for a in kernel.arguments], np.float64)
    states = inputs.scalar_states(kernel)
    dtype = kernel.arithmetic.value
    for at, argument in enumerate(kernel.arguments):
        for value in (-np.inf, -1.0, -0.0, 0.0, 1e-50, 0.5, 1.0, 2.0, np.inf, np.nan):
            tried = given.copy()
            tried[at] = value
            refused = library.host(dtype, tried, 1, 1, *_room(kernel))
            vanishes = argument.name in kernel.scalars and value and not np.dtype(dtype).type(value)
            if refused != (0 if argument.holds(value) and not vanishes else at + 1):
                return f"host: {argument.name} = {value}: {refused} is returned"
    for step, n in zip(STEPS, range(1, 1 + len(STEPS)), strict=True):
        host = host_values(kernel, hyperparameters, step, states, n)
        scalars = kernel_scalars(kernel, host)
        wanted = {name: np.array([scalars[name]], dtype) for name in kernel.scalars}
        wanted |= {s.name: np.array([host[s.name]]) for s in kernel.scalar_states}
        left, args = _room(kernel)
        left[:] = [states[s.name] for s in kernel.scalar_states]
        refused = library.host(dtype, given, step, n, left, args)
        if refused:
            return f"host, step {step}: hyperparameter {refused} is refused"
        found = {name: args[i : i + 1] for i, name in enumerate(kernel.scalars)}
        found |= {s.name: left[i : i + 1] for i, s in enumerate(kernel.scalar_states)}
        said = inputs.first_difference(wanted, found)
        if said:
            return f"host, step {step}: {said}"
    return ""


def _room(kernel: Kernel) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return arrays for scalar states and for host values; C knows no empty struct."""
    fields = len(kernel.scalars) + len(WORDS) * kernel.random
    args = np.zeros(max(1, fields), kernel.arithmetic.value)
    return np.zeros(len(kernel.scalar_states)), args


def c_difference(spec: OptimizerSpec, kernel: Kernel, module: ModuleType, library: CLibrary) -> str:
    """Run every case alone, and all in one call, with all numbers of threads.

    Returns:
        The first thing that is wrong, or an empty string.
    """
    hyperparameters = inputs.hyperparameters(spec, kernel)
    states = inputs.scalar_states(kernel)
    tensors, expected = [], []
    for case in inputs.cases(kernel):
        arrays = inputs.arrays(kernel, spec, case)
        host = host_values(kernel, hyperparameters, case.step, states, case.n)
        scalars = kernel_scalars(kernel, host)
        tensors.append(Tensor(case, arrays, scalars, inputs.SEED))
        wanted, _ = run_module(module, kernel, arrays, hyperparameters, states, case)
        # A root or a quotient can hide a wrong last bit of a sum, so sums are compared too.
        random = inputs.random_of(kernel, case)
        sums = run_sums(kernel, arrays, scalars, random) if case.n else {}
        expected.append((wanted, sums))
    groups = [(range(i, i + 1), 1) for i in range(len(tensors))]
    groups += [(range(len(tensors)), threads) for threads in THREADS]
    for group, threads in groups:
        runs = run_c(library, kernel, [tensors[i] for i in group], threads)
        for index, run in zip(group, runs, strict=True):
            wanted, sums = expected[index]
            if kernel.random and len(group) > 1:  # the number of a tensor in the call counts
                wanted, sums = _as_number(kernel, tensors[index], index)
            said = inputs.first_difference(wanted, run.arrays)
            said = said or inputs.first_difference(sums, run.sums)
            said = said or (f"memory beside {run.beyond} is written" if run.beyond else "")
            if said:
                alone = "alone" if len(group) == 1 else f"among {len(group)} tensors"
                return f"{tensors[index].case}, {alone}, {threads} threads: {said}"
    return ""


def _as_number(
    kernel: Kernel, tensor: Tensor, number: int
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Return what the IR makes of a tensor that is one of several in a call, and its sums."""
    random = inputs.random_of(kernel, tensor.case, number)
    given = (kernel, tensor.arrays, tensor.scalars, random)
    return run_stages(*given), run_sums(*given) if tensor.case.n else {}
