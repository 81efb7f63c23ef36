"""Runs the CUDA text of a rule as C++ and compares it with the NumPy module, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optgen.backends.abi import abi, chunks
from optgen.crosscheck import inputs
from optgen.crosscheck.host.programs import cuda_program
from optgen.crosscheck.host.running import HostCompiler, Program
from optgen.crosscheck.inputs import Case
from optgen.crosscheck.interpret import host_values, kernel_scalars, run_sums
from optgen.crosscheck.numpy_run import run_module
from optgen.ir import CHUNK, DType, Kernel
from optgen.spec import OptimizerSpec

_PLAIN = (
    "-std=c++17", "-w", "-ffp-contract=off", "-fno-math-errno", "-fno-strict-aliasing",
)  # fmt: skip
FAST = (*_PLAIN, "-O2")
SANITIZED = (
    *_PLAIN, "-O1", "-g", "-DOPTGEN_RACES", "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
)  # fmt: skip
"""Flags of the program that looks for faults; shared memory then knows who touches it."""


@dataclass(frozen=True, slots=True)
class HostCase:
    """One run.

    Attributes:
        case: Size, step, blocks, special values.
        off: Elements by which the first array is off 16 bytes, the second twice that, ...
        order: Of the threads of a block: 0 forwards, 1 backwards, others mixed.
        single: Whether float32 alone is run, since files get large.
    """

    case: Case
    off: int = 0
    order: int = 0
    single: bool = False

    def __str__(self) -> str:
        words = [str(self.case), f"{self.case.grid} blocks"]
        words += ["off"] if self.off else []
        words += [f"order {self.order}"] if self.order else []
        return ", ".join(words)


QUICK = (
    HostCase(Case(CHUNK + 1, step=2, grid=2), order=1),
    HostCase(Case(1003, special=True, step=3, grid=3), off=1, order=2),
)
"""What takes a fraction of a second."""

FAULTS = (
    HostCase(Case(0)),
    HostCase(Case(1)),
    HostCase(Case(1003, special=True, step=2, grid=2), off=1, order=2),
    HostCase(Case(CHUNK, grid=1), order=1),
    HostCase(Case(2 * CHUNK + 3, step=3, grid=2), order=3),
    HostCase(Case(2 * CHUNK + 4, grid=3), off=1),
)
"""Edge sizes, for the program with sanitizers."""

LARGE = (
    HostCase(Case(CHUNK - 1, grid=2), order=1),
    HostCase(Case(4 * CHUNK, grid=3), order=2),
    HostCase(Case(4 * CHUNK + 1, special=True, step=5, grid=64), off=1),
    HostCase(Case(1_000_003, step=2, grid=132), order=1),
    HostCase(Case(1_000_000, step=7, grid=64), off=1),
)
"""Sizes around borders of chunks, and large ones."""

LARGEST = HostCase(Case(10_000_019, step=3, grid=264), single=True)
"""One size of ten million, for kernels without barriers."""


def cuda_differences(
    spec: OptimizerSpec,
    kernels: Sequence[Kernel],
    text: str,
    module: ModuleType,
    compiler: HostCompiler,
    runs: Sequence[HostCase],
    flags: Sequence[str] = FAST,
) -> Iterator[str]:
    """Compile the CUDA text of a rule as C++, run it, and yield what is wrong.

    Args:
        spec: The rule.
        kernels: Its kernels, those of the text.
        text: The CUDA text.
        module: Its NumPy module.
        compiler: The C++ compiler.
        runs: What to run.
        flags: What the compiler is given.

    Raises:
        CompileError: The text, with what stands in for CUDA, is no C++ for this compiler.
    """
    with Program(compiler, cuda_program(text, kernels), f"{spec.identifier}.cpp", flags) as program:
        for kernel in kernels:
            for run in runs:
                if run.single and kernel.arithmetic is not DType.FLOAT32:
                    continue
                if found := _difference(spec, kernel, module, program, run):
                    yield f"{kernel.arithmetic.value}: {run}: {found}"
                    break


def _difference(
    spec: OptimizerSpec, kernel: Kernel, module: ModuleType, program: Program, run: HostCase
) -> str:
    case = run.case
    hyperparameters, states = inputs.hyperparameters(spec), inputs.scalar_states(kernel)
    arrays = inputs.arrays(kernel, spec, case)
    host = host_values(kernel, hyperparameters, case.step, states, case.n)
    scalars = kernel_scalars(kernel, host)
    width = kernel.arithmetic.size
    given = [kernel.arithmetic.value, str(case.n), str(case.grid), str(run.order)]
    wrong, output = program.run(
        [*given, str(run.off * width)],
        packed(kernel, scalars, [arrays[b.name] for b in kernel.buffers]),
    )
    if wrong:
        return wrong
    found: dict[str, NDArray[Any]] = {}
    at = 0
    for buffer in kernel.buffers:
        size = case.n * buffer.dtype.size
        found[buffer.name] = np.frombuffer(output[at : at + size], buffer.dtype.value)
        at += size
    expected, _ = run_module(module, kernel, arrays, hyperparameters, states, case)
    said = inputs.first_difference(expected, found)
    wanted = abi(kernel).partials * chunks(case.n) * width
    if not said and len(output) - at != wanted:
        said = f"{len(output) - at} bytes of sums instead of {wanted}"
    if not said and wanted:
        # A root or a quotient can hide a wrong last bit of a sum, so sums are compared too.
        held = np.frombuffer(output[at:], kernel.arithmetic.value)
        rows = held.reshape(len(kernel.reductions), -1)
        totals = {r.target: rows[i, :1] for i, r in enumerate(kernel.reductions)}
        said = inputs.first_difference(run_sums(kernel, arrays, scalars), totals)
    return said


def packed(kernel: Kernel, scalars: Mapping[str, Any], arrays: Sequence[NDArray[Any]]) -> bytes:
    """Return the argument structure and some arrays, as a program reads them."""
    fields = [scalars[name] for name in kernel.scalars]
    struct = np.array(fields, kernel.arithmetic.value).tobytes()
    return b"".join([struct or b"\0", *(array.tobytes() for array in arrays)])
