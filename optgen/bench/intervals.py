"""Medians, and how sure one can be of a ratio of two of them.

The times of two contestants are taken in turns, so turn for turn they share what else the
machine was doing. The interval of their ratio of medians is the percentile bootstrap over
turns (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13): whole turns
are drawn again, with a fixed seed, and both medians taken anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 4000
_SEED = 20260101


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of medians with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f}-{self.high:.2f})"


def ratio_of_medians(times: Sequence[float], base: Sequence[float]) -> Ratio:
    """Return how many times `base` some times are.

    Args:
        times: Seconds, one per turn.
        base: Seconds of the same turns; longer if `times` took part in the first turns only.

    Raises:
        ValueError: There is no turn.
    """
    count = min(len(times), len(base))
    if not count:
        raise ValueError("a ratio needs at least one turn")
    above, below = np.array(times[:count]), np.array(base[:count])
    drawn = np.random.default_rng(_SEED).integers(0, count, (DRAWS, count))
    ratios = np.median(above[drawn], axis=1) / np.median(below[drawn], axis=1)
    low, high = np.percentile(ratios, [2.5, 97.5])
    return Ratio(float(np.median(above) / np.median(below)), float(low), float(high))
