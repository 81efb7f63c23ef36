"""In which order does a NumPy module add? Its sums, run on objects that remember it."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from optgen.ir import CHUNK, LANES
from optgen.verify.verdicts import Unsupported

SUM_SIZES = (1, 2, LANES - 1, LANES + 3, CHUNK - 1, CHUNK, 2 * CHUNK, 2 * CHUNK + LANES + 1)
CHUNK_COUNTS = (1, 2, 3, 5, 64, 257)


class _Added:
    """A number in a sum: what was added to what, one object for equal sums."""

    def __init__(self, known: dict[tuple[int, int], _Added]) -> None:
        self._known = known

    def __add__(self, other: object) -> _Added:
        if not isinstance(other, _Added):
            if other != 0:
                raise Unsupported(f"{other!r} is added to an element")
            other = _zero(self._known)
        if self is other is _zero(self._known):
            return self  # +0 and +0
        pair = sorted((id(self), id(other)))
        return self._known.setdefault((pair[0], pair[1]), _Added(self._known))

    __radd__ = __add__


def _zero(known: dict[tuple[int, int], _Added]) -> _Added:
    """Return the +0 with which tails are padded."""
    return known.setdefault((0, 0), _Added(known))


def sums_differ(module: ModuleType) -> str:
    """Say where a module adds in another order than the fixed tree; empty if nowhere.

    Its two functions run on arrays of objects that remember what was added to what, and on
    floats, which NumPy may add in another order than objects: along the last axis, by pairs.
    """
    for size in SUM_SIZES:
        known: dict[tuple[int, int], _Added] = {}
        values = _objects(known, size)
        try:
            found = [*module._chunk_sums(values.copy(), np.empty(3 * CHUNK, object))]
        except (TypeError, ValueError, IndexError, Unsupported) as error:
            return f"the sum of {size} elements cannot be followed: {error}"
        chunks = [values[at : at + CHUNK] for at in range(0, size, CHUNK)]
        wanted = [_chunk_tree(known, chunk) for chunk in chunks]
        if [*map(id, found)] != [*map(id, wanted)]:
            return f"{size} elements of chunks are added in another order"
    for count in CHUNK_COUNTS:
        known = {}
        values = _objects(known, count)
        try:
            found = module._tree_sum([values[: count // 3], values[count // 3 :]], object)
        except (TypeError, ValueError, IndexError, Unsupported) as error:
            return f"the sum of {count} chunks cannot be followed: {error}"
        if found is not _halved(_padded(known, values, 1 << (count - 1).bit_length())):
            return f"the sums of {count} chunks are added in another order"
    return _float_sums_differ(module)


def _float_sums_differ(module: ModuleType) -> str:
    """Say where sums of floats of many sizes have other bits than the fixed tree's."""
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        for size in SUM_SIZES:
            values = (rng.standard_normal(size) * 10.0 ** rng.integers(-6, 7, size)).astype(dtype)
            padded = np.zeros(size + -size % CHUNK, dtype)
            padded[:size] = values
            rows = padded.reshape(-1, CHUNK // LANES, LANES)
            lanes: Any = rows[:, 0].copy()
            for row in range(1, CHUNK // LANES):
                lanes += rows[:, row]
            found = np.asarray(module._chunk_sums(values, np.empty(3 * CHUNK, dtype)))
            if found.tobytes() != _halved_floats(lanes).tobytes():
                return f"{size} elements of {dtype.__name__} are added in another order"
        for count in CHUNK_COUNTS:
            values = rng.standard_normal(count).astype(dtype)
            lanes = np.zeros((1, 1 << (count - 1).bit_length()), dtype)
            lanes[0, :count] = values
            total = module._tree_sum([values[: count // 3], values[count // 3 :]], dtype)
            if total != _halved_floats(lanes)[0]:
                return f"sums of {count} chunks of {dtype.__name__} are added in another order"
    return ""


def _halved_floats(lanes: Any) -> Any:
    while lanes.shape[1] > 1:
        half = lanes.shape[1] // 2
        lanes = lanes[:, :half] + lanes[:, half:]
    return lanes[:, 0]


def _objects(known: dict[tuple[int, int], _Added], count: int) -> Any:
    values = np.empty(count, object)
    values[:] = [_Added(known) for _ in range(count)]
    return values


def _padded(known: dict[tuple[int, int], _Added], values: Any, size: int) -> list[_Added]:
    return [*values, *(_zero(known) for _ in range(size - len(values)))]


def _chunk_tree(known: dict[tuple[int, int], _Added], values: Any) -> _Added:
    """Return the sum of a chunk as `optgen.ir` defines it."""
    padded = _padded(known, values, CHUNK)
    lanes = padded[:LANES]
    for start in range(LANES, CHUNK, LANES):
        lanes = [a + b for a, b in zip(lanes, padded[start : start + LANES], strict=True)]
    return _halved(lanes)


def _halved(lanes: list[_Added]) -> _Added:
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = [a + b for a, b in zip(lanes[:half], lanes[half:], strict=True)]
    return lanes[0]
