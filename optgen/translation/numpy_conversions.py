"""Conversions of types of two bytes and random numbers in NumPy modules: meaning, and a run.

A trace takes these helpers by their meaning. By themselves they are run: conversions to
float32 on every value, those from it on every upper half of a float32 with many lower ones,
random numbers on places, steps and seeds of all sizes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optgen.ir import RANDOM
from optgen.philox import random_numbers
from optgen.translation.kernel_terms import convert, rounded_at_random
from optgen.translation.numpy_memory import Memory
from optgen.translation.numpy_stand_ins import Counter
from optgen.translation.numpy_trace import Scalar, Tracer, View
from optgen.translation.terms import Term
from optgen.verify.verdicts import Unsupported

LOW = (0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF)
"""Lower halves of the float32 that are converted; all upper ones are."""

NUMBERS = (0, 1, 0x7FFF, 0x8000, 0xFFFF)
"""Random numbers that conversions up or down are tried with."""

_DRAWS = (
    *((0, 1, 1, 0, 0), (0, 9, 2**32 - 1, 1, 1), (16384, 100, 2**32 + 5, 2**32 - 1, 3)),
    *((8 * 5_000_000_000, 17, 2**53, 0x9E3779B9, 2**32 - 1), (24, 8, 7, 12345, 2)),
)
"""First element, elements, step, seed and tensor of random numbers that are looked at."""


def conversions(tracer: Tracer) -> dict[str, Callable[..., Any]]:
    """Return the conversions of a module, taken by their meaning."""
    store = tracer.store

    def load(stored: View, out: View) -> None:
        out.put(convert(store, stored.read(), "float32"))

    def save(values: View, stored: View) -> None:
        stored.put(convert(store, values.read(), "bfloat16"))

    def rounded(values: View, out: View) -> None:
        out.put(convert(store, convert(store, values.read(), "bfloat16"), "float32"))

    def save_random(values: View, random: View, stored: View) -> None:
        stored.put(_at_random(values, random))

    def rounded_random(values: View, random: View, out: View) -> None:
        out.put(convert(store, _at_random(values, random), "float32"))

    def _at_random(values: View, random: View) -> Term:
        if random.size != values.size or random.memory.kind != "bits16":
            raise Unsupported("values are rounded with what are no random numbers of their own")
        return rounded_at_random(store, values.read(), random.read())

    return {
        "_load_bfloat16": load,
        "_store_bfloat16": save,
        "_to_bfloat16": rounded,
        "_store_bfloat16_random": save_random,
        "_to_bfloat16_random": rounded_random,
    }


class Stream:
    """The random numbers of a traced tensor.

    Attributes:
        number: What stands for the number of the tensor.
    """

    def __init__(self, tracer: Tracer, size: int, counter: Counter, seed: Scalar) -> None:
        self._tracer, self._size, self._counter, self._seed = tracer, size, counter, seed
        self.number, self._steps, self._chosen = object(), object(), object()

    def whole(self, value: object) -> object:
        """Stand in for `int`: the number of steps, once they are counted, and the seed."""
        if value is self._counter and self._counter.written is not None:
            return self._steps
        return self._chosen if value is self._seed else int(value)  # type: ignore[call-overload]

    def rows(
        self,
        first: int,
        count: int,
        steps: object,
        seed: object,
        number: object,
        numbers: Sequence[int],
    ) -> list[View]:
        """Return random numbers for some elements; the module must say for which."""
        if (steps, seed, number) != (self._steps, self._chosen, self.number):
            raise Unsupported("random numbers of another step, seed or tensor")
        found = []
        for name in (RANDOM[each] for each in numbers):
            term = self._tracer.store.element(name, "bits16")
            memory = Memory.holding(name, "bits16", self._size, term)
            found.append(View(self._tracer, memory, 0, self._size)[first : first + count])
        return found


def conversions_differ(module: ModuleType) -> str:
    """Say what a module's conversions or its random numbers do otherwise; empty if nothing."""
    tests: Mapping[str, Callable[[ModuleType], str]] = {
        "_load_bfloat16": _loads_differ,
        "_store_bfloat16": _stores_differ,
        "_to_bfloat16": _roundings_differ,
        "_store_bfloat16_random": _random_stores_differ,
        "_to_bfloat16_random": _random_roundings_differ,
        "_random": _streams_differ,
    }
    with np.errstate(all="ignore"):
        for name, test in tests.items():
            if hasattr(module, name) and (said := test(module)):
                return said
    return ""


Words = NDArray[np.uint32]


def _singles() -> Words:
    upper = np.arange(2**16, dtype=np.uint32) << np.uint32(16)
    found: Words = np.bitwise_or.outer(upper, np.array(LOW, np.uint32)).reshape(-1)
    return found


def nearest_bfloat16(bits: Words) -> Words:
    """Return the bits of float32 values rounded to bfloat16, worked out in exact integers.

    A quotient is rounded to the nearer neighbour, or to the even one of two.
    """
    wide = bits.astype(np.uint64)
    lower, rest = wide >> np.uint64(16), wide & np.uint64(0xFFFF)
    up = (rest > 0x8000) | ((rest == 0x8000) & (lower & np.uint64(1) == 1))
    found: Words = (lower + up).astype(np.uint32)
    return found


def _compare(name: str, given: Words, found: Words, wanted: Words) -> str:
    """Compare values by their upper halves; all NaNs are one."""
    nan = (given & np.uint32(0x7FFFFFFF)) > np.uint32(0x7F800000)
    still = (found & np.uint32(0x7FFF)) > np.uint32(0x7F80)
    same = np.where(nan, still, found == wanted)
    if same.all():
        return ""
    at = int(np.argmin(same))
    return f"{name} makes {int(found[at]):#06x} of {int(given[at]):#010x}"


def _loads_differ(module: ModuleType) -> str:
    stored = np.arange(2**16, dtype=np.uint16)
    out = np.empty(stored.size, np.float32)
    module._load_bfloat16(stored, out)
    wanted = stored.astype(np.uint32) << np.uint32(16)
    if (out.view(np.uint32) == wanted).all():
        return ""
    at = int(np.argmin(out.view(np.uint32) == wanted))
    return f"_load_bfloat16 makes {float(out[at])!r} of {at:#06x}"


def _stores_differ(module: ModuleType) -> str:
    given = _singles()
    stored = np.empty(given.size, np.uint16)
    module._store_bfloat16(given.view(np.float32), stored)
    return _compare("_store_bfloat16", given, stored.astype(np.uint32), nearest_bfloat16(given))


def _roundings_differ(module: ModuleType) -> str:
    given = _singles()
    out = np.empty(given.size, np.float32)
    module._to_bfloat16(given.view(np.float32), out)
    found = out.view(np.uint32)
    if (found & np.uint32(0xFFFF)).any():
        return "_to_bfloat16 leaves digits that a bfloat16 has not"
    return _compare("_to_bfloat16", given, found >> np.uint32(16), nearest_bfloat16(given))


def _moved(given: Words, number: int) -> Words:
    infinite = (given & np.uint32(0x7FFFFFFF)) == np.uint32(0x7F800000)
    moved: Words = np.where(infinite, given, given + np.uint32(number)) >> np.uint32(16)
    return moved


def _random_stores_differ(module: ModuleType) -> str:
    given = _singles()
    for number in NUMBERS:
        stored = np.empty(given.size, np.uint16)
        random = np.full(given.size, number, np.uint32)
        module._store_bfloat16_random(given.view(np.float32), random, stored)
        found = stored.astype(np.uint32)
        if said := _compare("_store_bfloat16_random", given, found, _moved(given, number)):
            return f"{said} with {number:#06x}"
    return ""


def _random_roundings_differ(module: ModuleType) -> str:
    given = _singles()
    for number in NUMBERS:
        out = np.empty(given.size, np.float32)
        random = np.full(given.size, number, np.uint32)
        module._to_bfloat16_random(given.view(np.float32), random, out)
        found = out.view(np.uint32)
        if (found & np.uint32(0xFFFF)).any():
            return "_to_bfloat16_random leaves digits that a bfloat16 has not"
        wanted = _moved(given, number)
        if said := _compare("_to_bfloat16_random", given, found >> np.uint32(16), wanted):
            return f"{said} with {number:#06x}"
    return ""


def _streams_differ(module: ModuleType) -> str:
    for (begin, count, step, seed, tensor), inside in itertools.product(_DRAWS, (0, 3)):
        wanted = random_numbers(count + inside, step, seed, tensor, first=begin)
        numbers = (0, 1, 7)
        found = module._random(begin + inside, count, step, seed, tensor, list(numbers))
        for row, number in zip(found, numbers, strict=True):
            if not np.array_equal(row, wanted[RANDOM[number]][inside:]):
                return (
                    f"_random gives other numbers for {count} elements from {begin + inside} on, "
                    f"step {step}, seed {seed}, tensor {tensor}"
                )
    return ""
