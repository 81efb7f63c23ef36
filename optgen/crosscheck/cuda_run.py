"""Runs compiled CUDA on the CPU: the PTX of a rule, through the executor, launch by launch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optgen.backends.abi import BLOCK, Abi, chunks
from optgen.crosscheck.inputs import SEED, Case
from optgen.crosscheck.ptx import Buffer, Memory, Module, Stats, launch
from optgen.ir import CHUNK, Kernel


@dataclass(frozen=True, slots=True)
class CudaRun:
    """What a run left behind.

    Attributes:
        arrays: All buffers after the step.
        sums: Every finished sum, an array of one value; empty where there are no elements.
        stats: One per launch.
    """

    arrays: dict[str, NDArray[Any]]
    sums: dict[str, NDArray[Any]]
    stats: tuple[Stats, ...]

    @property
    def bytes(self) -> int:
        """Bytes read from and written to global memory, all launches together."""
        moved = [t for s in self.stats for t in (*s.loads.values(), *s.stores.values())]
        return sum(t.bytes for t in moved)


def run_ptx(
    module: Module,
    kernel: Kernel,
    called: Abi,
    arrays: Mapping[str, NDArray[Any]],
    scalars: Mapping[str, Any],
    case: Case,
    number: int = 0,
) -> CudaRun:
    """Run every launch of a rule, in order, on fresh memory.

    Args:
        module: The compiled rule.
        kernel: Its kernel.
        called: How it is called.
        arrays: One 1-d array per buffer.
        scalars: What `kernel_scalars` returns.
        case: Size, alignment, step and grid.
        number: What stands for the tensor's number in a call, where random numbers are used.

    Raises:
        PtxFault: The kernel reads or writes where it must not, races, or hangs.
        PtxUnsupported: The compiler emitted what the executor does not know.
    """
    dtype = np.dtype(kernel.arithmetic.value)
    memory = Memory()
    held = {}
    for index, buffer in enumerate(kernel.buffers):
        # Each pointer is off by another number of elements, so that none hides another.
        size = buffer.dtype.size
        off = (1 + index) * size if case.misaligned and case.alone is None else 0
        if case.alone is not None:
            off = 8 if index == case.alone % len(kernel.buffers) else 0
        held[buffer.name] = memory.alloc(
            arrays[buffer.name], buffer.name, writable=buffer.writable, misalign=off
        )
    # What no kernel has written must not be read: the contents are not initialised.
    for name, count in (
        ("partials", called.partials * chunks(case.n)),
        ("scalars", called.scalars),
    ):
        held[name] = memory.alloc(np.zeros(count, dtype), name, initialised=False)
    struct = _struct(called, scalars, case, number)
    stats = []
    for item in called.launches:
        given: dict[str, Buffer | bytes | int] = {"args": struct, "n": case.n, **held}
        args = [given[name] for name in item.parameters]
        grid = 1 if item.grid == "one" else case.grid
        entry = module.entries[item.entry]
        stats.append(launch(entry, grid=grid, block=BLOCK, args=args, memory=memory))
    results = {b.name: held[b.name].read() for b in kernel.buffers}
    sums = {}
    if case.n and called.partials:  # the first partial sum of each reduction ends up as its total
        partials = held["partials"].read().reshape(called.partials, -1)
        sums = {r.target: partials[i, :1] for i, r in enumerate(kernel.reductions)}
    return CudaRun(results, sums, tuple(stats))


def _struct(called: Abi, scalars: Mapping[str, Any], case: Case, number: int) -> bytes:
    """Return the argument struct; in C++ one without fields takes one byte."""
    fields = np.array([scalars[name] for name in called.fields], called.dtype.value).tobytes()
    known = {
        "seed": SEED,
        "tensor": number,
        "step_low": case.step % 2**32,
        "step_high": case.step >> 32,
    }
    return fields + np.array([known[w] for w in called.words], np.uint32).tobytes() or b"\0"


MANY_CHUNKS = (1, 2, 3, 255, 256, 257, 600, 1000)
"""Numbers of chunk sums: fewer and more than a block has threads, and no power of two."""


def finish_sums(
    module: Module, kernel: Kernel, called: Abi, sums: NDArray[Any], scalars: Mapping[str, Any]
) -> NDArray[Any]:
    """Return what the launch that finishes sums makes of given chunk sums.

    A tensor with so many chunks is too large to run whole; this launch alone is not.

    Args:
        module: The compiled rule.
        kernel: Its kernel; it has reductions.
        called: How it is called.
        sums: One row per reduction, one value per chunk.
        scalars: What `kernel_scalars` returns.

    Returns:
        One total per reduction.

    Raises:
        PtxFault: The kernel reads or writes where it must not, races, or hangs.
        PtxUnsupported: The compiler emitted what the executor does not know.
    """
    (item,) = (one for one in called.launches if one.grid == "one")
    memory = Memory()
    dtype = np.dtype(kernel.arithmetic.value)
    partials = memory.alloc(sums.astype(dtype).reshape(-1), "partials")
    exported = memory.alloc(np.zeros(called.scalars, dtype), "scalars", initialised=False)
    struct = _struct(called, scalars, Case(0), 0)
    given = {
        "args": struct,
        "n": sums.shape[1] * CHUNK,
        "partials": partials,
        "scalars": exported,
    }
    args: list[Buffer | bytes | int] = [given[name] for name in item.parameters]
    launch(module.entries[item.entry], grid=1, block=BLOCK, args=args, memory=memory)
    return partials.read().reshape(sums.shape)[:, 0]
