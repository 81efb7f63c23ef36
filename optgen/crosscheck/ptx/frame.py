"""The registers of a batch of blocks: one array per register, one entry per thread.

A value that is the same in every thread is an array of one entry. Every register has an
array of its own (instructions make new ones), so writing in some threads changes it in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optgen.crosscheck.ptx.memory import Buffer
from optgen.crosscheck.ptx.shadow import Shadow, Who
from optgen.crosscheck.ptx.traffic import Traffic
from optgen.crosscheck.ptx.types import Array

WARP = 32
Lanes = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Space:
    """A state space: where addresses lead.

    Attributes:
        name: `global`, `param`, `shared` or `local`.
        shift: `address >> shift` finds a buffer.
        buffers: By that number.
        bank: Copy of a buffer that each thread of the batch sees, or None if there is one.
    """

    name: str
    shift: int
    buffers: Mapping[int, Buffer]
    bank: Array | None


class Unwritten(Exception):
    """A register is read that no thread has written; the machine adds where."""


class Frame:
    """The state of the threads that run together.

    Args:
        registers: How many registers there are.
        grid: Blocks in the launch.
        block: Threads per block.
        first: The batch's first block.
        blocks: Blocks in the batch.
    """

    def __init__(self, registers: int, grid: int, block: int, first: int, blocks: int) -> None:
        self._values: list[Array | None] = [None] * registers
        self.lanes: Lanes | None = None
        self.threads = blocks * block
        self.block_size = block
        index = np.arange(self.threads, dtype=np.int32)
        self.batch_block = index // block
        self.block = self.batch_block + np.int32(first)
        self.thread = index - self.batch_block * np.int32(block)
        self.lane = self.thread & np.int32(WARP - 1)
        self.warp = self.batch_block * np.int32(-(-block // WARP)) + (self.thread >> 5)
        self.index = index
        self.epoch = np.zeros(self.threads, np.int32)
        self._owner = index + np.int32(first * block + 1)
        self._who: Who | None = None
        one = np.ones(1, np.uint32)
        self.specials: dict[str, Array] = {
            "%tid.x": self.thread.view(np.uint32),
            "%ctaid.x": self.block.view(np.uint32),
            "%ntid.x": one * np.uint32(block),
            "%nctaid.x": one * np.uint32(grid),
            "%laneid": self.lane.view(np.uint32),
        }
        for axis in "yz":
            self.specials[f"%tid.{axis}"] = self.specials[f"%ctaid.{axis}"] = one - one
            self.specials[f"%ntid.{axis}"] = self.specials[f"%nctaid.{axis}"] = one
        self.spaces: dict[str, Space] = {}
        self.symbols: dict[str, int] = {}
        self.own_shadows: dict[Buffer, Shadow] = {}
        self.global_shadows: dict[Buffer, Shadow] = {}
        self.loads: dict[str, Traffic] = {}
        self.stores: dict[str, Traffic] = {}

    @property
    def width(self) -> int:
        """How many threads are active."""
        return self.threads if self.lanes is None else len(self.lanes)

    def select(self, values: Array) -> Array:
        """Return the active threads' part of an array over all threads (or of a uniform one)."""
        if self.lanes is None or len(values) == 1:
            return values
        return values[self.lanes]

    def take(self, slot: int) -> Array:
        """Return the active threads' values of a register; one entry if all are the same."""
        value = self._values[slot]
        if value is None:
            raise Unwritten
        if self.lanes is None or len(value) == 1:
            return value
        return value[self.lanes]

    def put(self, slot: int, value: Array) -> None:
        """Set a register in the active threads; it takes the array over."""
        if self.lanes is None:
            self._values[slot] = value
            return
        old = self._values[slot]
        if old is None:
            old = np.zeros(self.threads, value.dtype)
        elif len(old) != self.threads:
            old = np.broadcast_to(old, self.threads).copy()
        self._values[slot] = old
        old.view(value.dtype)[self.lanes] = value

    def index_lanes(self) -> Array:
        """Return the active threads' positions in the batch."""
        return self.index if self.lanes is None else self.lanes

    def pass_barrier(self, threads: Lanes) -> None:
        """Note that these threads, whole blocks, have passed a barrier."""
        self.epoch = self.epoch.copy()
        self.epoch[threads] += 1
        self._who = None

    def who(self) -> Who:
        """Return the active threads, as race detection names them."""
        if self.lanes is not None:
            return Who(self._owner[self.lanes], self.block[self.lanes], self.epoch[self.lanes])
        if self._who is None:
            self._who = Who(self._owner, self.block, self.epoch)
        return self._who
