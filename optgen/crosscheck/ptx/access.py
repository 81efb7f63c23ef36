"""Loads and stores: find the buffer, check the access, move the bytes, count them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from optgen.crosscheck.ptx.errors import (
    DataRace,
    Misaligned,
    OutOfBounds,
    PtxFault,
    ReadOnlyStore,
    UninitialisedRead,
)
from optgen.crosscheck.ptx.frame import Frame, Space
from optgen.crosscheck.ptx.memory import Buffer
from optgen.crosscheck.ptx.module import Instruction
from optgen.crosscheck.ptx.shadow import ANYBODY, Conflict, Shadow
from optgen.crosscheck.ptx.traffic import Traffic, measure
from optgen.crosscheck.ptx.types import Array


@dataclass(frozen=True, slots=True)
class Access:
    """What one load or store instruction moves per thread.

    Attributes:
        space: Name of the state space.
        dtype: Unsigned type of one component.
        vector: Number of components.
        instruction: For messages.
    """

    space: str
    dtype: np.dtype[Any]
    vector: int
    instruction: Instruction

    @property
    def size(self) -> int:
        """Bytes per thread."""
        return self.dtype.itemsize * self.vector


def load(frame: Frame, access: Access, address: Array) -> list[Array]:
    """Return one array per component; `address` is int64, one entry if uniform.

    Raises:
        PtxFault: The access is not allowed.
    """
    space = frame.spaces[access.space]
    if space.bank is not None or len(address) > 1:
        address = np.broadcast_to(address, frame.width)
    if parts := _parts(space, address):
        columns = [np.empty(frame.width, access.dtype) for _ in range(access.vector)]
        for part in parts:
            with _narrowed(frame, part):
                for column, piece in zip(columns, load(frame, access, address[part]), strict=True):
                    column[part] = piece
        return columns
    buffer, rows = _locate(frame, access, space, address)
    if buffer.valid is not None:
        _check_valid(frame, access, buffer, address, rows)
    if space.name != "param":
        everyone = np.broadcast_to(address, frame.width)
        if buffer.writable:
            all_rows = rows if len(address) > 1 else _one_each(rows, frame.width)
            shadow = _shadow(frame, access, space, buffer)
            width, vector = access.dtype.itemsize, access.vector
            if conflict := shadow.read(all_rows, width, vector, frame.who()):
                raise _race(frame, access, buffer, everyone, conflict, "reads")
        if space.name == "global":
            _count(frame, frame.loads, buffer, everyone, access.size)
    table = buffer.raw.view(access.dtype).reshape(-1, access.vector)[rows]
    return [table[:, i].copy() for i in range(access.vector)]


def store(frame: Frame, access: Access, address: Array, values: Sequence[Array]) -> None:
    """Store one array per component, each of one entry if uniform.

    Raises:
        PtxFault: The access is not allowed.
    """
    space = frame.spaces[access.space]
    address = np.broadcast_to(address, frame.width)
    if parts := _parts(space, address):
        full = [np.broadcast_to(value, frame.width) for value in values]
        for part in parts:
            with _narrowed(frame, part):
                store(frame, access, address[part], [value[part] for value in full])
        return
    buffer, rows = _locate(frame, access, space, address)
    if not buffer.writable:
        raise _fault(ReadOnlyStore, "a store to read-only memory", frame, access, buffer, address)
    shadow = _shadow(frame, access, space, buffer)
    if conflict := shadow.write(rows, access.dtype.itemsize, access.vector, frame.who()):
        raise _race(frame, access, buffer, address, conflict, "writes")
    if space.name == "global":
        _count(frame, frame.stores, buffer, address, access.size)
    if buffer.valid is not None:
        full_bits = np.iinfo(access.dtype).max
        buffer.valid.view(access.dtype).reshape(-1, access.vector)[rows] = full_bits
    table = buffer.raw.view(access.dtype).reshape(-1, access.vector)
    for i, value in enumerate(values):
        table[rows, i] = value


def _parts(space: Space, address: Array) -> list[Array]:
    """Return the positions that lead to each buffer; nothing if all lead to one."""
    if len(address) == 1 or int(address.min()) >> space.shift == int(address.max()) >> space.shift:
        return []
    keys = address >> space.shift
    return [np.nonzero(keys == key)[0] for key in np.unique(keys)]


@contextmanager
def _narrowed(frame: Frame, part: Array) -> Iterator[None]:
    """Let only some of the active threads act; `part` holds positions among them."""
    before = frame.lanes
    frame.lanes = part if before is None else before[part]
    try:
        yield
    finally:
        frame.lanes = before


def _locate(
    frame: Frame, access: Access, space: Space, address: Array
) -> tuple[Buffer, slice | Array]:
    """Check bounds and alignment; return the buffer and which of its rows are meant.

    A row is one access wide; rows in steady succession come as a slice, which is faster.
    """
    size = access.size
    buffer = space.buffers.get(int(address[0]) >> space.shift)
    if buffer is None:
        raise _nowhere(frame, access, space, int(address[0]))
    if int(address.min()) < buffer.start or int(address.max()) + size > buffer.stop:
        outside = (address < buffer.start) | (address + size > buffer.stop)
        what = f"an access beyond the bounds ({buffer.stop - buffer.start} bytes)"
        raise _fault(OutOfBounds, what, frame, access, buffer, address, outside)
    if size > 1 and (wrong := address & (size - 1)).any():
        what = f"an access of {size} bytes that is not aligned to {size}"
        raise _fault(Misaligned, what, frame, access, buffer, address, wrong != 0)
    rows = (address - (buffer.start - buffer.skip)) >> (size.bit_length() - 1)
    if space.bank is not None:
        rows = rows + frame.select(space.bank).astype(np.int64) * (buffer.pitch // size)
    first, last = int(rows[0]), int(rows[-1])
    if last - first == len(rows) - 1 and bool((rows[1:] - rows[:-1] == 1).all()):
        return buffer, slice(first, last + 1)
    return buffer, rows


def _one_each(rows: slice | Array, width: int) -> Array:
    row = rows.start if isinstance(rows, slice) else int(rows[0])
    return np.full(width, row, np.int64)


def _shadow(frame: Frame, access: Access, space: Space, buffer: Buffer) -> Shadow:
    shadows = frame.own_shadows if space.bank is not None else frame.global_shadows
    shadow = shadows.get(buffer)
    if shadow is None:
        shadow = Shadow(buffer.raw.size, access.dtype.itemsize, frame.block_size)
        shadows[buffer] = shadow
    return shadow


def _count(
    frame: Frame, totals: dict[str, Traffic], buffer: Buffer, address: Array, size: int
) -> None:
    traffic = measure(address, size, frame.select(frame.warp))
    totals[buffer.name] = totals.get(buffer.name, Traffic()).plus(traffic)


def _check_valid(
    frame: Frame, access: Access, buffer: Buffer, address: Array, rows: slice | Array
) -> None:
    assert buffer.valid is not None
    known = buffer.valid.view(access.dtype).reshape(-1, access.vector)[rows]
    missing = (known != np.iinfo(access.dtype).max).any(axis=1)
    if missing.any():
        what = "a read of what nothing has written"
        raise _fault(UninitialisedRead, what, frame, access, buffer, address, missing)


def _place(buffer: Buffer, address: int) -> str:
    """Name an address as an element of its buffer."""
    element, rest = divmod(address - buffer.start, buffer.dtype.itemsize)
    return f"{buffer.name}[{element}]" + (f" + {rest} bytes" if rest else "")


def _who(frame: Frame, position: int) -> str:
    lane = position if frame.lanes is None else int(frame.lanes[position])
    return f"thread {int(frame.thread[lane])} of block {int(frame.block[lane])}"


def _fault(
    kind: type[PtxFault],
    what: str,
    frame: Frame,
    access: Access,
    buffer: Buffer,
    address: Array,
    wrong: Array | None = None,
) -> PtxFault:
    """Describe a fault of the first thread in which `wrong` holds."""
    position = 0 if wrong is None else int(np.nonzero(wrong)[0][0])
    more = 0 if wrong is None else int(np.count_nonzero(wrong)) - 1
    return kind(
        f"{what} in '{buffer.name}': {_who(frame, position)} accesses "
        f"{_place(buffer, int(address[position]))}" + (f", and {more} more do" if more else ""),
        where=where(access.instruction),
    )


def _nowhere(frame: Frame, access: Access, space: Space, address: int) -> PtxFault:
    return OutOfBounds(
        f"an access to {space.name} memory that was never allocated: "
        f"{_who(frame, 0)} accesses address {address:#x}",
        where=where(access.instruction),
    )


def _race(
    frame: Frame, access: Access, buffer: Buffer, address: Array, conflict: Conflict, verb: str
) -> PtxFault:
    owner = conflict.owner
    if owner == ANYBODY:
        other = "threads of other blocks"
    elif owner < 0:
        other = f"several threads of block {-owner - 1}"
    else:
        block, thread = divmod(owner - 1, frame.block_size)
        other = f"thread {thread} of block {block}"
    return DataRace(
        f"a data race on '{buffer.name}': {_who(frame, conflict.lane)} {verb} "
        f"{_place(buffer, int(address[conflict.lane]))}, which {other} "
        f"{'wrote' if conflict.wrote else 'read'}, with no barrier between them",
        where=where(access.instruction),
        fix="add a barrier, or let one thread own the element",
    )


def where(instruction: Instruction) -> str:
    """Name an instruction's place in the PTX."""
    return f"PTX line {instruction.line}: {instruction.text}"
