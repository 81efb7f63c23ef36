"""`shfl.sync`: lanes of one warp read each other's registers."""

from __future__ import annotations

import numpy as np

from optgen.crosscheck.ptx.errors import ShuffleDivergence
from optgen.crosscheck.ptx.frame import WARP, Frame
from optgen.crosscheck.ptx.module import Instruction
from optgen.crosscheck.ptx.types import Array

MODES = ("bfly", "down", "up", "idx")


def shuffle(
    frame: Frame,
    mode: str,
    instruction: Instruction,
    value: Array,
    distance: Array,
    control: Array,
    members: Array,
) -> tuple[Array, Array]:
    """Return what each active thread receives, and whether its source lane was in range.

    Args:
        frame: The threads.
        mode: One of `MODES`.
        instruction: For messages.
        value: What each active thread offers, uint32, as are the next three.
        distance: PTX's operand `b`.
        control: PTX's operand `c`: the last lane, and the segment mask in bits 8 to 12.
        members: The lanes that must take part.

    Raises:
        ShuffleDivergence: A member does not execute the instruction with the others.
    """
    active = frame.index_lanes()
    lane = frame.lane[active].astype(np.int64)
    warp_start = active.astype(np.int64) - lane
    distance = (distance & np.uint32(WARP - 1)).astype(np.int64)
    segment = ((control >> np.uint32(8)) & np.uint32(WARP - 1)).astype(np.int64)
    last = (control & np.uint32(WARP - 1)).astype(np.int64)
    limit = (lane & segment) | (last & ~segment)
    if mode == "bfly":
        source = lane ^ distance
    elif mode == "down":
        source = lane + distance
    elif mode == "up":
        source = lane - distance
    else:
        source = (lane & segment) | (distance & ~segment)
    inside = source >= limit if mode == "up" else source <= limit
    source = np.where(inside, source, lane)
    position = np.full(frame.threads + WARP, -1, np.int64)
    position[active] = np.arange(len(active))
    _check_members(frame, instruction, active, members)
    given = position[warp_start + source]
    missing = (given < 0) | (frame.warp[active[given]] != frame.warp[active])
    if missing.any():
        raise _divergence(frame, instruction, active, int(np.argmax(missing)))
    return np.broadcast_to(value, len(active))[given], inside


def _check_members(frame: Frame, instruction: Instruction, active: Array, members: Array) -> None:
    bit = np.uint64(1) << frame.lane.astype(np.uint64)
    warps = int(frame.warp[-1]) + 1
    existing = np.zeros(warps, np.uint64)
    np.bitwise_or.at(existing, frame.warp, bit)
    present = np.zeros(warps, np.uint64)
    np.bitwise_or.at(present, frame.warp[active], bit[active])
    named = np.broadcast_to(members, len(active)).astype(np.uint64)
    warp = frame.warp[active]
    absent = (named & existing[warp] & ~present[warp]) != 0
    outsider = (named & bit[active]) == 0
    if (absent | outsider).any():
        raise _divergence(frame, instruction, active, int(np.argmax(absent | outsider)))


def _divergence(
    frame: Frame, instruction: Instruction, active: Array, position: int
) -> ShuffleDivergence:
    thread = int(active[position])
    return ShuffleDivergence(
        f"a shuffle in which not every member takes part: thread {int(frame.thread[thread])} "
        f"of block {int(frame.block[thread])} waits for lanes that are elsewhere",
        where=f"PTX line {instruction.line}: {instruction.text}",
        fix="let every lane named in the mask reach the shuffle",
    )
