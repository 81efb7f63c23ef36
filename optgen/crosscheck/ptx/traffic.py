"""Counts what a kernel asks of global memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from optgen.crosscheck.ptx.types import Array

SECTOR_BITS = 5
"""Global memory moves in sectors of 32 bytes."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What all threads together moved between registers and one buffer, in one direction.

    Attributes:
        bytes: Bytes the threads asked for.
        requests: Instructions issued, counted once per warp.
        sectors: 32-byte sectors those requests touched, counted once per request.
    """

    bytes: int = 0
    requests: int = 0
    sectors: int = 0

    @property
    def efficiency(self) -> float:
        """Share of the touched sectors' bytes that was asked for; 1 is perfect."""
        return self.bytes / (self.sectors << SECTOR_BITS) if self.sectors else 1.0

    def plus(self, other: Traffic) -> Traffic:
        """Return the sum of both."""
        return Traffic(
            self.bytes + other.bytes,
            self.requests + other.requests,
            self.sectors + other.sectors,
        )


@dataclass(frozen=True, slots=True)
class Stats:
    """What one launch did.

    Attributes:
        instructions: Instructions executed, summed over threads.
        loads: Per buffer name, what was read from global memory.
        stores: Per buffer name, what was written to global memory.
        barriers: Barriers passed, summed over blocks.
    """

    instructions: int
    loads: Mapping[str, Traffic]
    stores: Mapping[str, Traffic]
    barriers: int

    @property
    def bytes_loaded(self) -> Mapping[str, int]:
        """Bytes read per buffer name."""
        return {name: traffic.bytes for name, traffic in self.loads.items()}

    @property
    def bytes_stored(self) -> Mapping[str, int]:
        """Bytes written per buffer name."""
        return {name: traffic.bytes for name, traffic in self.stores.items()}

    @property
    def sectors(self) -> int:
        """Sectors touched by all loads and stores."""
        return sum(t.sectors for side in (self.loads, self.stores) for t in side.values())

    @property
    def total_bytes(self) -> int:
        """Bytes read and written, all buffers together."""
        return sum(t.bytes for side in (self.loads, self.stores) for t in side.values())


def measure(address: Array, size: int, warp: Array) -> Traffic:
    """Count one instruction: `address` and `warp` per active thread, `size` bytes each.

    Args:
        address: Byte addresses, aligned to `size`; `size` divides a sector.
        size: Bytes per thread.
        warp: Warp of each thread, ascending.
    """
    sector = address >> SECTOR_BITS
    new_warp = warp[1:] != warp[:-1]
    step = sector[1:] - sector[:-1]
    if ((step < 0) & ~new_warp).any():
        order = np.lexsort((sector, warp))
        sector, warp = sector[order], warp[order]
        step = sector[1:] - sector[:-1]
        new_warp = warp[1:] != warp[:-1]
    return Traffic(
        bytes=len(address) * size,
        requests=1 + int(np.count_nonzero(new_warp)),
        sectors=1 + int(np.count_nonzero(new_warp | (step != 0))),
    )
