"""Random integer code on the bits of a value: what is called a conversion is one, on all samples.

The code is computed here once more, on plain numbers, by nothing that the readers use.
"""

from __future__ import annotations

import random

import numpy as np
import pytest

from optgen.translation.bits.words import Bits
from optgen.translation.kernel_terms import convert
from optgen.translation.terms import Terms

MASK = 0xFFFFFFFF
SAMPLES = [
    0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF, 0x10000, 0x18000, 0x80000000, 0x80008000, 0x3F808000,
    0x3F818000, 0x7F7FFFFF, 0x7F7F8000, 0x7F800000, 0xFF800000, 0x7F800001, 0x7FC00000, 0xFFFFFFFF,
]  # fmt: skip


def is_nan(bits):
    return bits & 0x7FFFFFFF > 0x7F800000


class Code:
    """Words and the numbers that they are for some values, side by side."""

    def __init__(self, bits, values):
        self.bits = bits
        self.values = values

    def number(self, number):
        return self.bits.number(number, 32), [number & MASK] * len(self.values)

    def leaf(self, term):
        return self.bits.of(term), list(self.values)

    def two(self, name, left, right):
        functions = {
            "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "and": lambda a, b: a & b,
            "or": lambda a, b: a | b, "xor": lambda a, b: a ^ b,
        }  # fmt: skip
        word = self.bits.compute(name, left[0], right[0])
        pairs = zip(left[1], right[1], strict=True)
        return word, [functions[name](a, b) & MASK for a, b in pairs]

    def shift(self, name, value, by):
        word = self.bits.shifted(name, value[0], by)
        moved = [v << by & MASK if name == "shl" else v >> by for v in value[1]]
        return word, moved

    def choose(self, name, left, right, yes, no):
        mask = self.bits.compared(name, left[0], right[0])
        compare = {"ugt": int.__gt__, "ult": int.__lt__, "uge": int.__ge__, "ule": int.__le__}[name]
        holds = [compare(a, b) for a, b in zip(left[1], right[1], strict=True)]
        numbers = [a if h else b for h, a, b in zip(holds, yes[1], no[1], strict=True)]
        return self.bits.choose(mask, yes[0], no[0]), numbers


def rounding(code, x, draw):
    """Return code that rounds to bfloat16, most of the time with a slip in it."""
    half = draw([0x7FFF] * 6 + [0x8000, 0x7FFE, 0xFFFF, 0])
    shift = draw([16] * 9 + [15, 17])
    border = draw([0x7F800000] * 6 + [0x7F7FFFFF, 0x7F800001, 0x7F000000])
    quiet = draw([0x40] * 4 + [0x41, 0x3F, 0x7F, 0, 0x80])
    name = draw(["ugt"] * 6 + ["uge", "ult"])
    join = draw(["or"] * 6 + ["xor", "add"])
    above = code.shift("lshr", x, shift)
    odd = code.two("and", above, code.number(draw([1] * 8 + [3, 0])))
    total = code.two("add", code.two(draw(["add"] * 8 + ["sub", "or"]), x, code.number(half)), odd)
    size = code.two("and", x, code.number(0x7FFFFFFF))
    kept = code.two(join, above, code.number(quiet))
    nearest = code.shift("lshr", total, 16)
    sides = (kept, nearest) if name != "ult" else (nearest, kept)
    return code.choose(name, size, code.number(border), *sides)


def reference(bits):
    """Round to bfloat16 in exact rational steps: the nearer neighbour, or the even one."""
    low, high = bits & ~0xFFFF & MASK, (bits & ~0xFFFF) + 0x10000
    rest = bits - low
    up = rest > 0x8000 or (rest == 0x8000 and low >> 16 & 1)
    return (high if up else low) >> 16 & 0xFFFF


@pytest.mark.parametrize("seed", range(8))
def test_only_conversions_are_called_so(seed):
    chance = random.Random(seed)
    drawn = np.random.default_rng(seed).integers(0, 2**32, 400)
    values = [*SAMPLES, *map(int, drawn)]
    known = 0
    for _ in range(60):
        store = Terms()
        bits = Bits(store)
        code = Code(bits, values)
        x = store.element("x", "float32")
        word, numbers = rounding(code, code.leaf(x), chance.choice)
        found = bits.value(bits.resized(word, 16), "bfloat16")
        right = all(
            number & 0x7FFF > 0x7F80 if is_nan(value) else number & 0xFFFF == reference(value)
            for value, number in zip(values, numbers, strict=True)
        )
        if found is convert(store, x, "bfloat16"):
            known += 1
            assert right
        else:
            assert found.operation == "bits"
    assert known  # some have no slip, or one that changes nothing
