"""Runs an entry over a grid: batches of blocks, lowest instruction first.

Threads that stand at the same instruction run together. Of several groups the one
at the lowest index runs, until its block of code ends; so threads that parted meet
again where their ways join, as they do on hardware, and wait at a barrier until
their whole thread block has come.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from optgen.crosscheck.ptx.access import where
from optgen.crosscheck.ptx.compile import Block, Program, compile_entry
from optgen.crosscheck.ptx.errors import BarrierDivergence, Endless, LaunchError, UninitialisedRead
from optgen.crosscheck.ptx.frame import Frame, Space, Unwritten
from optgen.crosscheck.ptx.memory import (
    GLOBAL_SHIFT,
    WINDOW_SHIFT,
    Buffer,
    Memory,
    origin,
)
from optgen.crosscheck.ptx.module import Entry, Instruction, Parameter
from optgen.crosscheck.ptx.shadow import Shadow
from optgen.crosscheck.ptx.traffic import Stats, Traffic
from optgen.crosscheck.ptx.types import DTYPES, Array

BATCH = 16384
"""Threads that run together: their registers stay in the processor's cache."""
PATIENCE = 3_000_000
"""Instructions issued, some seconds; a million elements on one block take about 100,000."""
_PARAMETERS = 1 << 20  # window of the first parameter: above every global buffer

Argument = Buffer | int | float | bytes | np.generic


def launch(
    entry: Entry,
    *,
    grid: int,
    block: int,
    args: Sequence[Argument],
    memory: Memory,
    dynamic_shared: int = 0,
    patience: int = PATIENCE,
) -> Stats:
    """Run an entry to its end.

    Args:
        entry: What to run.
        grid: Number of blocks.
        block: Threads per block.
        args: One per parameter: a buffer for a pointer, bytes for a struct, a number.
        memory: Where the buffers live.
        dynamic_shared: Bytes for variables whose size is set at launch.
        patience: Instructions that a batch of blocks may issue before it counts as endless.

    Returns:
        What the launch did; results are in the buffers.

    Raises:
        PtxUnsupported: The entry uses what the executor does not know.
        PtxFault: The launch is wrong, or the kernel misbehaves.
    """
    limit = min(entry.max_threads or 1024, 1024)
    if not (grid > 0 and 0 < block <= limit):
        raise LaunchError(
            f"{grid} blocks of {block} threads: there must be at least one, "
            f"and blocks have at most {limit} threads",
            where=f"entry '{entry.name}'",
        )
    program = compile_entry(entry)
    parameters = _parameters(entry, args)
    shadows: dict[Buffer, Shadow] = {}
    loads: dict[str, Traffic] = {}
    stores: dict[str, Traffic] = {}
    instructions = barriers = 0
    per_batch = max(1, BATCH // block)
    with np.errstate(all="ignore"):
        for first in range(0, grid, per_batch):
            blocks = min(per_batch, grid - first)
            frame = Frame(program.registers, grid, block, first, blocks)
            frame.global_shadows, frame.loads, frame.stores = shadows, loads, stores
            _map(frame, entry, memory, parameters, dynamic_shared)
            run = _Run(program, frame, patience)
            run.to_end()
            instructions += run.instructions
            barriers += run.barriers
    return Stats(
        instructions=instructions,
        loads=MappingProxyType(dict(sorted(loads.items()))),
        stores=MappingProxyType(dict(sorted(stores.items()))),
        barriers=barriers,
    )


def _parameters(entry: Entry, args: Sequence[Argument]) -> dict[int, Buffer]:
    """Put the arguments where `ld.param` finds them, by window."""
    if len(args) != len(entry.parameters):
        raise LaunchError(
            f"{len(args)} arguments for {len(entry.parameters)} parameters",
            where=f"entry '{entry.name}'",
        )
    buffers = {}
    for i, (parameter, arg) in enumerate(zip(entry.parameters, args, strict=True)):
        content = np.frombuffer(_encode(entry, parameter, arg), np.uint8)[None, :]
        start = origin(_PARAMETERS + i, GLOBAL_SHIFT)
        buffers[_PARAMETERS + i] = Buffer(
            parameter.name, start, GLOBAL_SHIFT, content, writable=False
        )
    return buffers


def _encode(entry: Entry, parameter: Parameter, arg: Argument) -> bytes:
    dtype = DTYPES[parameter.type]
    if isinstance(arg, bytes | np.generic):
        data = arg if isinstance(arg, bytes) else arg.tobytes()
    elif parameter.is_array:
        data = b""
    elif isinstance(arg, Buffer):
        data = arg.address.to_bytes(8, "little")
    elif isinstance(arg, float) and dtype.kind == "f":
        data = np.array(arg, dtype).tobytes()
    elif isinstance(arg, int) and dtype.kind in "ui":
        data = (arg & ((1 << 8 * dtype.itemsize) - 1)).to_bytes(dtype.itemsize, "little")
    else:
        data = b""
    if len(data) != parameter.size:
        raise LaunchError(
            f"{arg!r:.60} does not fit parameter {parameter.name}: "
            f".{parameter.type}, {parameter.size} bytes",
            where=f"entry '{entry.name}'",
        )
    return data


def _map(
    frame: Frame,
    entry: Entry,
    memory: Memory,
    parameters: dict[int, Buffer],
    dynamic_shared: int,
) -> None:
    """Give a batch its address spaces."""
    frame.symbols.update({b.name: b.start for b in parameters.values()})
    windows: dict[str, dict[int, Buffer]] = {"shared": {}, "local": {}}
    banks: dict[str, Array] = {"shared": frame.batch_block, "local": frame.index}
    for i, variable in enumerate(entry.variables, start=1):
        size = dynamic_shared if variable.size is None else variable.size
        count = int(banks[variable.space][-1]) + 1
        start = origin(i, WINDOW_SHIFT)
        windows[variable.space][i] = Buffer(
            variable.name,
            start,
            WINDOW_SHIFT,
            np.zeros((count, size), np.uint8),
            initialised=False,
        )
        frame.symbols[variable.name] = start
    everywhere = {b.address >> GLOBAL_SHIFT: b for b in memory.buffers()} | parameters
    frame.spaces.update(
        {
            "global": Space("global", GLOBAL_SHIFT, everywhere, None),
            "param": Space("param", GLOBAL_SHIFT, parameters, None),
            **{
                name: Space(name, WINDOW_SHIFT, windows[name], banks[name])
                for name in ("shared", "local")
            },
        }
    )


class _Run:
    """One batch on its way through the program."""

    def __init__(self, program: Program, frame: Frame, patience: int) -> None:
        self._patience = patience
        self._program = program
        self._frame = frame
        self._code = program.entry.instructions
        self._groups: dict[int, Array] = {0: frame.index} if self._code else {}
        self._waiting: dict[int, Array] = {}
        self.instructions = 0
        self.barriers = 0

    def to_end(self) -> None:
        """Run until every thread has left."""
        while self._groups or self._waiting:
            if not self._groups:
                self._release()
                continue
            start = min(self._groups)
            self._block(self._program.blocks[start], self._groups.pop(start))

    def _block(self, block: Block, threads: Array) -> None:
        frame = self._frame
        frame.lanes = None if len(threads) == frame.threads else threads
        done = 0
        try:
            for step in block.steps:
                step(frame)
                done += 1
            self._leave(block, threads)
        except Unwritten:
            raise _unwritten(self._code[block.start + done]) from None
        length = block.after - block.start
        self.instructions += len(threads) * length
        self._patience -= length
        if self._patience < 0:
            raise Endless(
                "the kernel does not come to its end",
                where=where(self._code[block.after - 1]),
                fix="look at what its loop counts and compares",
            )

    def _leave(self, block: Block, threads: Array) -> None:
        if block.kind == "next":
            self._join(block.after, threads)
        elif block.kind == "barrier":
            self._waiting[block.after - 1] = _merge(
                self._waiting.get(block.after - 1), threads, self._frame.threads
            )
        else:
            going, staying = self._divide(block, threads)
            if block.kind == "branch":
                self._join(block.target, going)
            self._join(block.after, staying)

    def _divide(self, block: Block, threads: Array) -> tuple[Array, Array]:
        """Return the threads whose guard holds, and the others."""
        if block.guard is None:
            return threads, threads[:0]
        holds = self._frame.take(block.guard.slot)
        if block.guard.negated:
            holds = ~holds
        if holds.all():
            return threads, threads[:0]
        if not holds.any():
            return threads[:0], threads
        return threads[holds], threads[~holds]

    def _join(self, at: int, threads: Array) -> None:
        if len(threads) and at < len(self._code):
            self._groups[at] = _merge(self._groups.get(at), threads, self._frame.threads)

    def _release(self) -> None:
        """Let every block past its barrier; each must stand at one barrier as a whole."""
        frame = self._frame
        for at, threads in self._waiting.items():
            count = np.bincount(frame.batch_block[threads])
            blocks = np.nonzero(count)[0]
            partial = blocks[count[blocks] != frame.block_size]
            if len(partial):
                raise self._divergent(int(partial[0]), int(count[partial[0]]), at)
            frame.pass_barrier(threads)
            self.barriers += len(blocks)
        waiting, self._waiting = self._waiting, {}
        for at, threads in waiting.items():
            self._join(at + 1, threads)

    def _divergent(self, block: int, count: int, at: int) -> BarrierDivergence:
        frame = self._frame
        first = int(frame.block[block * frame.block_size])
        return BarrierDivergence(
            f"{count} of {frame.block_size} threads of block {first} wait at a barrier "
            "that the others never reach",
            where=where(self._code[at]),
            fix="put the barrier where every thread of the block comes",
        )


def _merge(some: Array | None, more: Array, total: int) -> Array:
    """Join two groups of threads, in ascending order."""
    if some is None:
        return more
    if len(some) + len(more) == total:
        return np.arange(total, dtype=more.dtype)
    both = np.concatenate((some, more))
    both.sort()
    return both


def _unwritten(instruction: Instruction) -> UninitialisedRead:
    return UninitialisedRead(
        "a register is read that nothing has written", where=where(instruction)
    )
