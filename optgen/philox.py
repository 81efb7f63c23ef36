"""Philox4x32-10 as its paper has it: what the random numbers of every backend must be.

Salmon, Moraes, Dror, Shaw: Parallel Random Numbers: As Easy as 1, 2, 3 (SC 2011).
Nothing here is generated code.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from optgen.ir import RANDOM

_ROUNDS = 10
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)

Words = NDArray[np.uint64]


def philox(counter: tuple[Words, ...], key: tuple[int, int]) -> tuple[Words, ...]:
    """Return the four words of every counter, given as four arrays of words."""
    for number in range(_ROUNDS):
        round_key = [(k + number * w) % 2**32 for k, w in zip(key, _WEYL, strict=True)]
        products = [c * np.uint64(m) for c, m in zip(counter[::2], _MULTIPLIERS, strict=True)]
        (high0, low0), (high1, low1) = (
            (p >> np.uint64(32), p % np.uint64(2**32)) for p in products
        )
        counter = (
            high1 ^ counter[1] ^ np.uint64(round_key[0]),
            low1,
            high0 ^ counter[3] ^ np.uint64(round_key[1]),
            low0,
        )
    return counter


def random_numbers(
    count: int, step: int, seed: int, tensor: int, *, first: int = 0
) -> dict[str, NDArray[Any]]:
    """Return the random numbers of a tensor's elements, by their names in the IR.

    Args:
        count: How many elements.
        step: The number of the step.
        seed: What chooses the stream.
        tensor: The number of the tensor.
        first: The number of the first element, a multiple of 8.
    """
    found = {}
    for number, name in enumerate(RANDOM):
        place = np.arange(0, count, 8, dtype=np.uint64) + np.uint64(first + number)
        given = (place % np.uint64(2**32), place >> np.uint64(32))
        steps = tuple(np.full(len(place), word, np.uint64) for word in (step % 2**32, step >> 32))
        words = philox((*given, *steps), (seed, tensor))
        halves = [h for w in words for h in (w % np.uint64(2**16), w >> np.uint64(16))]
        found[name] = np.stack(halves, axis=1).reshape(-1)[:count]
    return found
