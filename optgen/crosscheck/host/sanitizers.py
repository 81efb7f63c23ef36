"""Runs generated C under sanitizers, in child processes: memory, undefined behaviour, threads."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optgen.crosscheck import inputs
from optgen.crosscheck.host.programs import c_program
from optgen.crosscheck.host.running import HostCompiler, Program
from optgen.crosscheck.inputs import Case
from optgen.crosscheck.interpret import host_values, kernel_scalars
from optgen.crosscheck.numpy_run import run_module
from optgen.errors import CompileError
from optgen.ir import CHUNK, Kernel
from optgen.spec import OptimizerSpec

_COMMON = (
    "-w", "-O1", "-g", "-ffp-contract=off", "-fno-math-errno",
    "-fno-trapping-math", "-fopenmp", "-fno-sanitize-recover=all",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sanitizer:
    """One set of sanitizers.

    Attributes:
        name: What it is called.
        flags: What the compiler is given.
        own_threads: Whether OpenMP's functions are brought along, made of pthreads.
        probe: A program that must fail under it.
    """

    name: str
    flags: tuple[str, ...]
    own_threads: bool
    probe: str


ADDRESS = Sanitizer(
    "ASan and UBSan",
    (*_COMMON, "-fsanitize=address,undefined"),
    False,
    "#include <stdlib.h>\nint main(void) { volatile char *p = (char *)malloc(4); return p[4]; }\n",
)
THREADS = Sanitizer(
    "TSan",
    (*_COMMON, "-fsanitize=thread", "-pthread"),
    True,
    "#include <pthread.h>\n"
    "static int shared;\n"
    "static void *add(void *p) { shared++; return p; }\n"
    "int main(void) { pthread_t a, b; pthread_create(&a, 0, add, 0);\n"
    "  pthread_create(&b, 0, add, 0); pthread_join(a, 0); pthread_join(b, 0); return 0; }\n",
)


def fitted(compiler: HostCompiler, sanitizer: Sanitizer) -> Sanitizer:
    """Return a sanitizer as this compiler can have it: without OpenMP where that is missing."""
    if sanitizer.own_threads or "does not link" not in why_not(compiler, sanitizer):
        return sanitizer
    flags = tuple(flag for flag in sanitizer.flags if flag != "-fopenmp")
    return replace(sanitizer, name=f"{sanitizer.name}, without OpenMP", flags=flags)


@cache
def why_not(compiler: HostCompiler, sanitizer: Sanitizer) -> str:
    """Return why a sanitizer cannot be used here; empty if it finds what it should."""
    if sanitizer.own_threads and "clang" in compiler.version:
        return "its threads stand in for gcc's OpenMP, and the C compiler is clang"
    try:
        with Program(compiler, sanitizer.probe, "probe.c", sanitizer.flags) as program:
            said, _ = program.run([], b"")
    except CompileError as error:
        return f"a program with it does not link ({error.what})"
    marks = ("AddressSanitizer", "runtime error", "ThreadSanitizer: data race")
    if any(mark in said for mark in marks):
        return ""
    return (
        f"on this {platform.system()} it does not see a fault that is there ({said or 'nothing'})"
    )


@dataclass(frozen=True, slots=True)
class ListCase:
    """One call with a list of tensors.

    Attributes:
        cases: One for each tensor.
        threads: Number of threads.
    """

    cases: tuple[Case, ...]
    threads: int

    def __str__(self) -> str:
        sizes = ", ".join(str(case.n) for case in self.cases) or "none"
        return f"tensors of {sizes}; {self.threads} threads"


def _cases(*sizes: int, misaligned: bool = False, special: bool = False) -> tuple[Case, ...]:
    return tuple(
        Case(n, misaligned=misaligned, special=special, step=1 + i) for i, n in enumerate(sizes)
    )


EDGES = (
    ListCase((), 1),
    ListCase(_cases(0), 2),
    ListCase(_cases(1), 3),
    ListCase(_cases(0, 3, 31, 1003, misaligned=True, special=True), 2),
    ListCase(_cases(CHUNK, CHUNK + 1, 1, CHUNK - 1, 5 * CHUNK + 7), 3),
    ListCase(_cases(CHUNK + 1, 4 * CHUNK, 7, misaligned=True), 7),
)
"""Edge sizes, off 16 bytes and not, alone and in lists, in several threads."""

SHARED = (
    ListCase(_cases(6 * CHUNK + 7), 4),
    ListCase(_cases(CHUNK, CHUNK + 1, 1, CHUNK - 1, 5 * CHUNK + 7, misaligned=True), 3),
)
"""Enough elements for several threads."""


def c_faults(
    spec: OptimizerSpec,
    kernels: Sequence[Kernel],
    text: str,
    module: ModuleType,
    compiler: HostCompiler,
    sanitizer: Sanitizer,
    lists: Sequence[ListCase],
) -> Iterator[str]:
    """Run the C of a rule under a sanitizer and yield what is wrong: faults, and other bits.

    Args:
        spec: The rule.
        kernels: Its kernels, those of the text.
        text: The C text.
        module: Its NumPy module.
        compiler: The C compiler.
        sanitizer: The sanitizer.
        lists: What to call it with.

    Raises:
        CompileError: The compiler refuses the text.
    """
    source = c_program(text, kernels, own_threads=sanitizer.own_threads)
    flags = list(sanitizer.flags)
    if sanitizer.own_threads:  # OpenMP's pragmas, without its library
        flags += ["-nodefaultlibs", "-ltsan", "-lm", "-lpthread", "-lc", "-lgcc_s", "-lgcc"]
    with Program(compiler, source, f"{spec.identifier}.c", flags) as program:
        for kernel in kernels:
            for case in lists:
                if found := _fault(spec, kernel, module, program, case):
                    yield f"{kernel.arithmetic.value}: {case}: {found}"
                    break


def _fault(
    spec: OptimizerSpec, kernel: Kernel, module: ModuleType, program: Program, call: ListCase
) -> str:
    hyperparameters, states = inputs.hyperparameters(spec), inputs.scalar_states(kernel)
    count = len(call.cases)
    tensors = [inputs.arrays(kernel, spec, case) for case in call.cases]
    numbers = [count, *(c.n for c in call.cases), *(int(c.misaligned) for c in call.cases)]
    structs = []
    for case in call.cases:
        host = host_values(kernel, hyperparameters, case.step, states, case.n)
        scalars = kernel_scalars(kernel, host)
        fields = [scalars[name] for name in kernel.scalars] or [0.0]
        structs.append(np.array(fields, kernel.arithmetic.value).tobytes())
    arrays = [t[b.name].tobytes() for b in kernel.buffers for t in tensors]
    data = b"".join([np.array(numbers, np.uint64).tobytes(), *structs, *arrays])
    wrong, output = program.run([kernel.arithmetic.value, str(call.threads)], data)
    if wrong:
        return wrong
    at = 0
    found: list[dict[str, NDArray[Any]]] = [{} for _ in tensors]
    for buffer in kernel.buffers:
        for index, case in enumerate(call.cases):
            size = case.n * buffer.dtype.size
            found[index][buffer.name] = np.frombuffer(output[at : at + size], buffer.dtype.value)
            at += size
    for case, tensor, result in zip(call.cases, tensors, found, strict=True):
        expected, _ = run_module(module, kernel, tensor, hyperparameters, states, case)
        if said := inputs.first_difference(expected, result):
            return f"{case}: {said}"
    return ""
