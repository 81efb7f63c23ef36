"""The level `proof`: has printed and compiled code the bits of its kernel, for all values?"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from optgen.backends.base import SourceFile
from optgen.crosscheck.ptx import Module
from optgen.errors import BackendUnavailable
from optgen.ir import Kernel
from optgen.runtime.compiler import Compiler
from optgen.translation.c.reading import Reading, find_reader
from optgen.translation.crashes import CRASHES, crashed
from optgen.verify.verdicts import Unsupported

OF_MIXES = (
    "proof (storage mixes): over the reals nothing is rounded for storage, a master copy is the "
    "parameter, and a compensation 0: so the kernel is proved equal to its rule. What is printed "
    "and compiled has the bits of the kernel with its roundings."
)
"""What a summary says of storage mixes."""


@dataclass(frozen=True, slots=True)
class CodeProof:
    """What is proved of the code of one kernel.

    Attributes:
        failures: Where it computes something else.
        doubts: What could not be followed.
        off: Whether there was no code to look at.
        unread: Whether there was code that nothing here can read.
        seconds: Time spent.
    """

    failures: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    off: bool = False
    unread: bool = False
    seconds: float = 0.0

    @property
    def word(self) -> str:
        """`equal` if every output has the bits of the kernel for all values."""
        if self.off:
            return "off"
        if self.unread:
            return "not looked at"
        return "failed" if self.failures else "unknown" if self.doubts else "equal"


@dataclass(frozen=True, slots=True)
class ReadC:
    """A C file as a reader has read it.

    Attributes:
        reading: What was read; None where nothing was.
        missing: Why there is no reader; empty where there is one.
        refused: What the reader does not follow; empty where it has read the file.
    """

    reading: Reading | None = None
    missing: str = ""
    refused: str = ""

    @property
    def level(self) -> str:
        """What the summary of a build says of it."""
        if self.missing:
            return f"proof (C): off, {self.missing}; the lowered kernel that is printed is proved."
        if self.reading is None:
            return f"proof (C): {self.refused}"
        by, trusted = self.reading.by, self.reading.trusted
        return f"proof (C): {by}, compared with the lowered kernel: {_SCOPE} Trusted: {trusted}."


_SCOPE = (
    "functions over elements for every n, sums and the walk over tensors and threads at "
    "named sizes."
)


def read_c(compiler: Compiler | None, text: str, name: str) -> ReadC:
    """Read a C file with the best reader that is here.

    Args:
        compiler: The C compiler; None where there is none.
        text: The file.
        name: Its name, for messages.
    """
    if compiler is None:
        return ReadC(missing="there is no C compiler")
    try:
        return ReadC(find_reader(compiler).read(text, name))
    except BackendUnavailable as error:
        return ReadC(missing=f"{error.what} ({error.fix})")
    except Unsupported as error:
        return ReadC(refused=str(error))
    except CRASHES as error:
        return ReadC(refused=crashed(error))


def prove_c(kernel: Kernel, file: ReadC) -> CodeProof:
    """Prove of a C file that it has the bits of one of its kernels."""
    from optgen.translation.c.kernels import compare_c

    started = time.perf_counter()
    if file.reading is None:
        doubts = (file.refused,) if file.refused else ()
        return CodeProof(doubts=doubts, unread=bool(file.missing))
    failures, doubts_ = [], []
    for part in compare_c(kernel, file.reading):
        said = f"{part.part}: {part.detail}"
        if part.outcome == "different":
            failures.append(said)
        elif part.outcome == "unknown":
            doubts_.append(said)
    seconds = time.perf_counter() - started
    return CodeProof(tuple(failures), tuple(doubts_), seconds=seconds)


def prove_c_file(
    compiler: Compiler | None, kernels: Sequence[Kernel], file: SourceFile
) -> tuple[dict[str, CodeProof], str]:
    """Prove of a C file that it has the bits of its kernels.

    Args:
        compiler: The C compiler; None where there is none.
        kernels: The kernels of the file: one of every type, or that of one storage mix.
        file: The file.

    Returns:
        What is proved of each kernel that is looked at, and what a summary says of all.
    """
    if compiler is None:
        return {kernel.label: CodeProof(off=True) for kernel in kernels}, ""
    read = read_c(compiler, file.text, Path(file.path).name)
    return {kernel.label: prove_c(kernel, read) for kernel in kernels}, read.level


def prove_module(kernel: Kernel, text: str) -> CodeProof:
    """Prove of a NumPy module that it has the bits of its kernel."""
    from optgen.translation.numpy_kernels import compare_module

    started = time.perf_counter()
    found = compare_module(kernel, text)
    said = (found.detail,)
    return CodeProof(
        failures=said if found.outcome == "different" else (),
        doubts=said if found.outcome == "unknown" else (),
        seconds=time.perf_counter() - started,
    )


def prove_compiled(kernel: Kernel, modules: Mapping[str, Module]) -> CodeProof:
    """Prove of compiled CUDA that every launch has the bits of its kernel.

    Args:
        kernel: The kernel.
        modules: The PTX, by architecture; empty where there is no compiler.
    """
    from optgen.translation.ptx_kernels import compare_ptx

    started = time.perf_counter()
    failures, doubts = [], []
    for arch, module in modules.items():
        for launch in compare_ptx(kernel, module):
            said = f"{arch}: {launch.entry}: {launch.detail}"
            if launch.outcome == "different":
                failures.append(said)
            elif launch.outcome == "unknown":
                doubts.append(said)
    seconds = time.perf_counter() - started
    return CodeProof(tuple(failures), tuple(doubts), not modules, seconds=seconds)
