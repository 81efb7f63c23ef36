"""Race detection: remembers, per word of memory, who wrote it and who read it last.

Two accesses of one word by different threads, one of them a write, are ordered only
by a barrier of their common block. Each word keeps its last writer and its readers,
with the number of barriers (the epoch) their block had passed.

An owner is an int32: 0 nobody, `thread + 1` one thread, `-(block + 1)` several threads
of one block, `ANYBODY` threads of several blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optgen.crosscheck.ptx.types import Array

ANYBODY = np.int32(-(2**31))


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two unordered accesses.

    Attributes:
        lane: Which of the active threads, by position.
        owner: Who was there before (see the module's text).
        wrote: Whether the earlier access was a write.
    """

    lane: int
    owner: int
    wrote: bool


@dataclass(frozen=True, slots=True)
class Who:
    """The threads that execute an access: one entry each, in ascending order.

    Attributes:
        owner: `thread + 1`, int32.
        block: Block of the grid, int32.
        epoch: Barriers the block has passed, int32.
    """

    owner: Array
    block: Array
    epoch: Array


class Shadow:
    """The history of one buffer during one launch.

    Args:
        nbytes: Size of the memory that is watched, a multiple of 32.
        word: Bytes that are tracked as one; halved when a narrower access comes.
        block_size: Threads per block, to find an owner's block.
    """

    def __init__(self, nbytes: int, word: int, block_size: int) -> None:
        self._word = word
        self._block_size = block_size
        self._fields = [np.zeros(nbytes // word, np.int32) for _ in range(4)]

    def read(self, rows: slice | Array, width: int, vector: int, who: Who) -> Conflict | None:
        """Record a read; `rows` counts accesses of `width * vector` bytes."""
        writer, writer_epoch, reader, reader_epoch = self._views(width, vector)
        owner, epoch = who.owner[:, None], who.epoch[:, None]
        if conflict := self._conflict(writer[rows], writer_epoch, rows, who, wrote=True):
            return conflict
        before = reader[rows]
        fresh = (before == 0) | (before == owner)
        if fresh.all():
            after = np.broadcast_to(owner, before.shape)
        else:
            same_block = self._block(before) == who.block[:, None]
            later = reader_epoch[rows] < epoch
            shared = np.where(same_block, -(who.block[:, None] + 1), ANYBODY)
            after = np.where(fresh | (same_block & later), owner, shared).astype(np.int32)
        reader[rows] = after
        reader_epoch[rows] = epoch
        if not isinstance(rows, slice):
            self._share(reader, rows, after, who)
        return None

    def write(self, rows: slice | Array, width: int, vector: int, who: Who) -> Conflict | None:
        """Record a write; `rows` counts accesses of `width * vector` bytes."""
        writer, writer_epoch, reader, reader_epoch = self._views(width, vector)
        if conflict := self._conflict(writer[rows], writer_epoch, rows, who, wrote=True):
            return conflict
        if conflict := self._conflict(reader[rows], reader_epoch, rows, who, wrote=False):
            return conflict
        owner = who.owner[:, None]
        writer[rows] = owner
        writer_epoch[rows] = who.epoch[:, None]
        if not isinstance(rows, slice):
            clash = writer[rows] != owner  # two threads of this very instruction
            if clash.any():
                lane, column = (int(i[0]) for i in np.nonzero(clash))
                return Conflict(lane, int(writer[rows][lane, column]), wrote=True)
        return None

    def _views(self, width: int, vector: int) -> list[Array]:
        """Return the fields with one row per access, splitting words if they are too wide."""
        if width < self._word:
            self._fields = [np.repeat(field, self._word // width) for field in self._fields]
            self._word = width
        columns = width * vector // self._word
        return [field.reshape(-1, columns) for field in self._fields]

    def _block(self, owner: Array) -> Array:
        """Return the block of each owner; -1 for several blocks."""
        block = np.where(owner > 0, (owner - 1) // self._block_size, -1 - owner)
        return np.where(owner == ANYBODY, -1, block)

    def _conflict(
        self, before: Array, epochs: Array, rows: slice | Array, who: Who, *, wrote: bool
    ) -> Conflict | None:
        suspect = (before != 0) & (before != who.owner[:, None])
        if not suspect.any():
            return None
        elsewhere = self._block(before) != who.block[:, None]
        clash = suspect & (elsewhere | (epochs[rows] >= who.epoch[:, None]))
        if not clash.any():
            return None
        lane, column = (int(i[0]) for i in np.nonzero(clash))
        return Conflict(lane, int(before[lane, column]), wrote)

    def _share(self, reader: Array, rows: Array, after: Array, who: Who) -> None:
        """Mark words that several threads of one instruction read."""
        stored = reader[rows]
        if (stored == after).all():
            return
        block = np.broadcast_to(who.block[:, None], stored.shape)
        same = self._block(stored) == block
        other = stored != after
        lanes, columns = np.nonzero(other & same)
        reader[rows[lanes], columns] = -(block[lanes, columns] + 1)
        lanes, columns = np.nonzero(other & ~same)
        reader[rows[lanes], columns] = ANYBODY
