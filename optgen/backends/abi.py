"""How the kernels of one CUDA file are called: entries, their parameters, the argument struct.

A rule without reductions is one launch. A reduction makes it three: a pass that
leaves one partial sum per chunk, one block that finishes sums and scalars, and
the pass that uses them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal as OneOf

from optgen.ir import CHUNK, DType, Elementwise, Kernel, Scalars, Stage, reads, stage_expressions

BLOCK = 256
"""Threads per block, of every launch."""


@dataclass(frozen=True, slots=True)
class Launch:
    """One kernel launch.

    Attributes:
        entry: Name of the `extern "C"` kernel.
        grid: `"elements"` or `"chunks"` for any number of blocks, `"one"` for exactly one.
        parameters: What is passed, in order: names of buffers, `"partials"` (one value
            per reduction and chunk), `"scalars"` (one value per exported scalar),
            `"args"` (the struct, by value), `"n"` (elements, 64-bit unsigned).
    """

    entry: str
    grid: OneOf["elements", "chunks", "one"]
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Abi:
    """How one kernel is called.

    Attributes:
        struct: Name of the argument struct.
        fields: Its fields, in order; all of the arithmetic type.
        dtype: The arithmetic type.
        launches: What to launch, in order, on one stream.
        partials: Number of reductions.
        scalars: Number of exported scalars.
        words: Further fields, of 32 bits, where random numbers are used: the low and the
            high half of the step, and what chooses the stream.
    """

    struct: str
    fields: tuple[str, ...]
    dtype: DType
    launches: tuple[Launch, ...]
    partials: int
    scalars: int
    words: tuple[str, ...] = ()


def chunks(n: int) -> int:
    """Return the number of chunks of `n` elements."""
    return -(-n // CHUNK)


def abi(kernel: Kernel) -> Abi:
    """Return how a kernel is called."""
    base = f"optgen_{kernel.name}_{kernel.arithmetic.value}"
    launches = []
    for index, stage in enumerate(kernel.stages):
        entry = base if len(kernel.stages) == 1 else f"{base}_stage{index + 1}"
        if isinstance(stage, Scalars):
            launches.append(Launch(entry, "one", ("partials", "scalars", "args", "n")))
            continue
        buffers = stage_buffers(kernel, stage)
        extra: tuple[str, ...] = ("partials",) if stage.reductions else ()
        extra += ("scalars",) if reads_tensor_scalars(kernel, stage) else ()
        grid: OneOf["elements", "chunks"] = "chunks" if stage.reductions else "elements"
        launches.append(Launch(entry, grid, (*buffers, *extra, "args", "n")))
    return Abi(
        struct=f"{base}_args",
        fields=kernel.scalars,
        dtype=kernel.arithmetic,
        launches=tuple(launches),
        partials=len(kernel.reductions),
        scalars=len(kernel.tensor_scalars),
        words=("seed", "tensor", "step_low", "step_high") if kernel.random else (),
    )


def stage_buffers(kernel: Kernel, stage: Elementwise) -> tuple[str, ...]:
    """Return the buffers that a stage touches, in the order of the signature."""
    return tuple(b.name for b in kernel.buffers if b.name in {*stage.loads, *stage.stores})


def reads_tensor_scalars(kernel: Kernel, stage: Stage) -> tuple[str, ...]:
    """Return the values per tensor that a stage reads, in order."""
    used = {name for expr in stage_expressions(stage) for name in reads(expr)}
    return tuple(n for n in kernel.tensor_scalars if n in used)
