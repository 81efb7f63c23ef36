"""The vectorised race detector agrees with one that remembers everything."""

from __future__ import annotations

import numpy as np
import pytest

from optgen.crosscheck.ptx.shadow import Shadow, Who

BLOCK = 4
BLOCKS = 3
BYTES = 64


class Everything:
    """Every access so far: per byte, (thread, block, epoch, is a write)."""

    def __init__(self) -> None:
        self.history: list[list[tuple[int, int, int, bool]]] = [[] for _ in range(BYTES)]

    def clashes(self, thread: int, epoch: int, first: int, size: int, store: bool) -> bool:
        block = thread // BLOCK
        found = False
        for byte in range(first, first + size):
            for other, other_block, other_epoch, other_store in self.history[byte]:
                ordered = other_block == block and other_epoch < epoch
                found |= other != thread and (store or other_store) and not ordered
            self.history[byte].append((thread, block, epoch, store))
        return found


@pytest.mark.parametrize("seed", range(300))
def test_agrees_with_the_full_history(seed: int) -> None:
    """Random accesses, biased to threads that stay on their own word, until the first clash."""
    rng = np.random.default_rng(seed)
    width = int(rng.choice([1, 2, 4]))
    shadow, full = Shadow(BYTES, width, BLOCK), Everything()
    epochs = np.zeros(BLOCKS, np.int32)
    for _ in range(60):
        if rng.random() < 0.15:
            epochs[rng.integers(BLOCKS)] += 1
        threads = np.nonzero(rng.random(BLOCK * BLOCKS) < rng.choice([0.2, 0.9]))[0]
        if not len(threads):
            continue
        width = int(rng.choice([width, width, width, 1, 2, 4]))
        vector = int(rng.choice([1, 2])) if width > 1 else 1
        size = width * vector
        rows = threads.astype(np.int64) * 4 // size
        wander = rng.random(len(rows)) < 0.04
        rows[wander] = rng.integers(0, 48 // size, wander.sum())
        if rng.random() < 0.3:  # everybody reads one place that nobody owns
            rows[:] = 48 // size
        store = bool(rng.random() < 0.4) and not (rows == 48 // size).all()
        who = Who(
            (threads + 1).astype(np.int32),
            (threads // BLOCK).astype(np.int32),
            epochs[threads // BLOCK],
        )
        steady = len(rows) > 1 and bool((np.diff(rows) == 1).all())
        where = slice(int(rows[0]), int(rows[-1]) + 1) if steady else rows
        act = shadow.write if store else shadow.read
        conflict = act(where, width, vector, who)
        expected = [
            full.clashes(int(t), int(epochs[t // BLOCK]), int(r) * size, size, store)
            for t, r in zip(threads, rows, strict=True)
        ]
        assert (conflict is not None) == any(expected)
        if conflict:
            return


def test_a_barrier_orders_only_its_own_block() -> None:
    def who(thread: int, epoch: int) -> Who:
        return Who(
            np.array([thread + 1], np.int32),
            np.array([thread // BLOCK], np.int32),
            np.array([epoch], np.int32),
        )

    row = np.array([3])
    shadow = Shadow(BYTES, 4, BLOCK)
    assert shadow.write(row, 4, 1, who(0, 0)) is None
    assert shadow.read(row, 4, 1, who(0, 0)) is None
    assert shadow.read(row, 4, 1, who(1, 1)) is None
    assert shadow.read(row, 4, 1, who(2, 1)) is None
    clash = shadow.write(row, 4, 1, who(3, 1))
    assert clash is not None
    assert (clash.owner, clash.wrote) == (-1, False)
    assert shadow.write(row, 4, 1, who(3, 2)) is None
    clash = shadow.read(row, 4, 1, who(4, 9))
    assert clash is not None
    assert (clash.owner, clash.wrote) == (4, True)
