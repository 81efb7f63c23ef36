"""Does compiled PTX compute what the kernel's IR says, bit for bit?

Every launch of a rule is read by the symbolic executor; each value that it leaves in
an array must be the very term that the IR stands for. Then the bits are equal for all
inputs, all sizes and all grids. Launches that sum over all elements are read at a few
sizes, thread by thread: for these the theorem is that of the sizes named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optgen.backends.abi import Launch, abi
from optgen.crosscheck.ptx import Module
from optgen.ir import Elementwise, Kernel
from optgen.translation.bits.differences import differs
from optgen.translation.crashes import CRASHES, crashed
from optgen.translation.kernel_terms import stage_terms
from optgen.translation.ptx_reading import FEW, NO_OVERLAP, ONE_DIMENSION, PtxReading, read_ptx
from optgen.translation.ptx_signature import signature
from optgen.translation.ptx_sums import QUICK, Size, compare_sums, instances
from optgen.translation.terms import Term, Terms
from optgen.verify.verdicts import Unsupported

EXPECTED = frozenset((NO_OVERLAP, FEW, ONE_DIMENSION))
"""What may be assumed of optgen's own kernels."""


@dataclass(frozen=True, slots=True)
class LaunchProof:
    """What was found for one launch.

    Attributes:
        entry: Name of the kernel.
        outcome: `"equal"`: the bits are those of the IR for all inputs; `"different"`: some
            operation or rounding is another; `"unknown"`: the code is not followed.
        detail: What differs and where, or what is not followed; for equal launches what
            is assumed, or at which sizes it was looked at.
    """

    entry: str
    outcome: str
    detail: str


def compare_ptx(
    kernel: Kernel, module: Module | str, *, sizes: Sequence[Size] = QUICK
) -> tuple[LaunchProof, ...]:
    """Compare every launch of a kernel with its IR.

    Args:
        kernel: The kernel, after all passes.
        module: The PTX that its CUDA was compiled to.
        sizes: Sizes at which passes that sum are read; all other passes hold for all sizes.
    """
    called = abi(kernel)
    proofs = []
    for stage, launch in zip(kernel.stages, called.launches, strict=True):
        try:
            if launch.grid == "elements":
                assert isinstance(stage, Elementwise)
                proofs.append(_elementwise(kernel, stage, launch, module))
            else:
                proofs.append(_sums(kernel, kernel.stages.index(stage), launch, module, sizes))
        except CRASHES as error:
            proofs.append(LaunchProof(launch.entry, "unknown", crashed(error)))
    return tuple(proofs)


def _sums(
    kernel: Kernel, index: int, launch: Launch, module: Module | str, sizes: Sequence[Size]
) -> LaunchProof:
    try:
        found = compare_sums(kernel, index, launch, module, sizes)
    except Unsupported as error:
        return LaunchProof(launch.entry, "unknown", str(error))
    if found:
        return LaunchProof(launch.entry, "different", found)
    return LaunchProof(launch.entry, "equal", instances(kernel, index, sizes))


def _elementwise(
    kernel: Kernel, stage: Elementwise, launch: Launch, module: Module | str
) -> LaunchProof:
    store = Terms()
    try:
        reading = read_ptx(module, launch.entry, signature(kernel, abi(kernel), launch), store)
    except Unsupported as error:
        return LaunchProof(launch.entry, "unknown", str(error))
    try:
        found = _differences(kernel, stage_terms(kernel, stage, store), reading)
    except Unsupported as error:
        return LaunchProof(launch.entry, "unknown", str(error))
    if found:
        return LaunchProof(launch.entry, "different", found)
    beyond = [note for note in reading.notes if note not in EXPECTED]
    if beyond:
        return LaunchProof(launch.entry, "unknown", f"only if {'; '.join(beyond)}")
    return LaunchProof(launch.entry, "equal", f"if {' and '.join(reading.notes)}")


def _differences(kernel: Kernel, wanted: Mapping[str, Term], reading: PtxReading) -> str:
    for path in reading.paths:
        for name in wanted.keys() | path.outputs.keys():
            if not kernel.buffer(name).writable:
                return f"{path.label}: {name} is written"
            if name not in path.outputs:
                return f"{path.label}: {name} is not written"
            if name not in wanted:
                return f"{path.label}: {name} is written, but not by the IR"
            found = path.outputs[name]
            if said := differs(reading.bits, wanted[name], found, origins=reading.origins):
                return f"{name}: {said}"
    return ""
