"""The level `proof`: has printed and compiled code the bits of its kernel, for all values?"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from optgen.crosscheck.ptx import Module
from optgen.ir import Kernel

UNREAD_MIXES = (
    "proof (storage mixes): the lowered kernel is proved before its roundings for storage; what is "
    "printed of mixes is run and compared, not read."
)
"""What a summary says of storage mixes."""


@dataclass(frozen=True, slots=True)
class CodeProof:
    """What is proved of the code of one kernel.

    Attributes:
        failures: Where it computes something else.
        doubts: What could not be followed.
        off: Whether there was no code to look at.
        unread: Whether there was code that this level does not read.
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
