"""Runs compiled C natively and looks at every array, and at the memory beside each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optgen.crosscheck.inputs import Case
from optgen.crosscheck.types import array_type
from optgen.ir import CHUNK, Kernel
from optgen.runtime.c_library import CLibrary

Array = NDArray[Any]

_GUARD = 64
"""Elements kept free on either side of an array; C must leave them alone."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a call.

    Attributes:
        case: Size, alignment and step.
        arrays: One per buffer of the kernel.
        scalars: What `interpret.kernel_scalars` returns.
        seed: What chooses random numbers.
    """

    case: Case
    arrays: Mapping[str, Array]
    scalars: Mapping[str, Any]
    seed: int = 0


@dataclass(frozen=True, slots=True)
class CRun:
    """What a call left of one tensor.

    Attributes:
        arrays: All buffers after the step.
        sums: Every finished sum, an array of one value; empty where there are no elements.
        beyond: The first buffer beside which something was written, or an empty string.
    """

    arrays: dict[str, Array]
    sums: dict[str, Array]
    beyond: str


def run_c(
    library: CLibrary, kernel: Kernel, tensors: Sequence[Tensor], threads: int
) -> tuple[CRun, ...]:
    """Return what one call makes of some tensors; the given arrays are not changed."""
    dtype = np.dtype(kernel.arithmetic.value)
    held = [_held(kernel, tensor) for tensor in tensors]
    places = [
        [
            memory[b][_place(kernel, tensor.case, b)].ctypes.data
            for memory, tensor in zip(held, tensors, strict=True)
        ]
        for b in range(len(kernel.buffers))
    ]
    counts = np.array([tensor.case.n for tensor in tensors], np.uint64)
    work = np.full(library.scratch(counts), np.nan, dtype)  # nothing may rely on what it holds
    library.call(
        dtype.name,
        counts,
        np.array(places, np.uintp),
        _args(kernel, tensors, dtype),
        work=work,
        threads=threads,
    )
    chunks = [-(-tensor.case.n // CHUNK) for tensor in tensors]
    runs, first = [], 0
    for tensor, memory, count in zip(tensors, held, chunks, strict=True):
        found = {
            b.name: memory[i][_place(kernel, tensor.case, i)] for i, b in enumerate(kernel.buffers)
        }
        beyond = [
            b.name
            for i, b in enumerate(kernel.buffers)
            if not np.isnan(np.delete(memory[i], _place(kernel, tensor.case, i))).all()
        ]
        sums = {
            r.target: work[i * sum(chunks) + first :][:1]
            for i, r in enumerate(kernel.reductions)
            if count
        }
        runs.append(CRun(found, sums, beyond[0] if beyond else ""))
        first += count
    return tuple(runs)


def _args(kernel: Kernel, tensors: Sequence[Tensor], dtype: np.dtype[Any]) -> Array:
    """Return a row of host values for each tensor, and the words that random numbers need."""
    rows = np.array([[t.scalars[name] for name in kernel.scalars] for t in tensors], dtype)
    if not kernel.random:
        return rows
    words = [[t.seed, t.case.step % 2**32, t.case.step >> 32] for t in tensors]
    return np.hstack((rows, np.array(words, np.uint32).view(dtype)))


def _place(kernel: Kernel, case: Case, buffer: int) -> slice:
    """Return where in its memory an array lies: each off by another number of elements."""
    off = 1 + buffer if case.misaligned and case.alone is None else 0
    if case.alone is not None:
        off = int(buffer == case.alone % len(kernel.buffers))
    return slice(_GUARD + off, _GUARD + off + case.n)


def _held(kernel: Kernel, tensor: Tensor) -> list[Array]:
    """Return the memory of every buffer, NaN beside the arrays."""
    memories = []
    for index, buffer in enumerate(kernel.buffers):
        size = tensor.case.n + 2 * _GUARD + 1 + len(kernel.buffers)
        memory: Array = np.full(size, np.nan, array_type(buffer.dtype))
        memory[_place(kernel, tensor.case, index)] = tensor.arrays[buffer.name]
        memories.append(memory)
    return memories
