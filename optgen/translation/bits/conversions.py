"""Which conversion between types is a function of bits? Decided for all bits.

Conversions between types of two bytes and float32 are written down here once, as vectors
over the bits of what is converted; code that computes the same vector converts so. All
NaNs count as one value. Arithmetic on floats in the middle of a conversion (float16 has
some, for its subnormals) is not looked into: it must be the same operation on the same
operands, and its bits are free.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from optgen.translation import expand
from optgen.translation.bits.diagrams import NO, Diagrams
from optgen.translation.bits.vectors import (
    Vector,
    add,
    choose,
    exactly,
    joined,
    less,
    logic,
    resized,
    shift_left,
    shift_right,
    subtract,
)
from optgen.translation.kernel_terms import HALVES, convert, rounded_at_random
from optgen.translation.terms import Term, Terms, TermType
from optgen.verify.verdicts import Unsupported

WIDTHS: dict[TermType, int] = {
    "mask": 1,
    "float16": 16,
    "bfloat16": 16,
    "bits16": 16,
    "bits32": 32,
    "bits64": 64,
    "float32": 32,
    "float64": 64,
}
"""Bits of each type."""

_FORMATS = {"float16": "<e", "float32": "<f", "float64": "<d"}
_EXPONENTS = {"float16": (10, 5), "bfloat16": (7, 8), "float32": (23, 8), "float64": (52, 11)}
"""Where the exponent of each type begins, and its bits."""

_SMALLEST_HALF = Fraction(1, 2**24)
_INFINITY = 0x7F800000
_TRIES = 300
_CORNERS = {
    16: (
        0,
        0x8000,
        1,
        0x3FF,
        0x400,
        0x7BFF,
        0x7C00,
        0xFC00,
        0x7C01,
        0x3C00,
        0xFFFF,
        0x7F80,
        0x7F81,
    ),
    32: (
        *(0, 0x80000000, 1, 0x3F800000, 0x3F808000, 0x3F818000, 0x7F7FFFFF, 0x7F800000, 0xFF800000),
        *(0x7F800001, 0x7FC00000, 0xFFFFFFFF, 0x38800000, 0x387FFFFF, 0x33000000, 0x33800000),
        *(0x3F801000, 0x3F803000, 0x477FEFFF, 0x477FF000, 0x47800000, 0x7F7F8000, 0x00008000),
    ),
}
"""Bits of values at which conversions change what they do."""


@dataclass(slots=True)
class Conversions:
    """Vectors of values, and values of vectors.

    Attributes:
        store: The terms. What stands in them for values that nothing is known of is free.
        diagrams: The functions.
    """

    store: Terms = field(default_factory=Terms)
    diagrams: Diagrams = field(default_factory=Diagrams)
    _free: list[Term] = field(default_factory=list)
    _vectors: dict[Term, Vector] = field(default_factory=dict)
    _wholes: dict[Term, Vector] = field(default_factory=dict)

    def of(self, term: Term) -> Vector:
        """Return the bits of a value."""
        found = self._vectors.get(term)
        if found is None:
            found = self._vectors[term] = self._of(term)
        return found

    def _of(self, term: Term) -> Vector:
        match term.operation, term.operands:
            case "constant", _:
                return exactly(bits_of(term), WIDTHS[term.type])
            case "neg", (value,):
                *low, sign = self.of(value).bits
                return Vector((*low, self.diagrams.negate(sign)))
            case "abs", (value,):
                return Vector((*self.of(value).bits[:-1], NO))
            case "convert", (value,) if value.type in HALVES:
                return self._widened(value)
            case "convert", (value,):
                return self._narrowed(value, term.type)
            case "to_bfloat16_random", (value, random):
                return self._at_random(value, random)
        number = len(self._free)
        self._free.append(term)
        width = WIDTHS[term.type]
        return Vector(tuple(self.diagrams.bit(place, number) for place in range(width)))

    def _widened(self, value: Term) -> Vector:
        """Return what a type of two bytes is in float32."""
        diagrams, stored = self.diagrams, self.of(value)
        if value.type == "bfloat16":
            return joined((exactly(0, 16), stored))
        size = Vector((*stored.bits[:15], *(NO,) * 17))
        finite = less(diagrams, size, exactly(0x7C00, 32))
        bias = choose(diagrams, finite, exactly(0x38000000, 32), exactly(0x70000000, 32))
        normal = add(diagrams, shift_left(size, 13), bias)
        smallest = self.store.constant(_SMALLEST_HALF, "float32")
        small = self.of(expand.operation(self.store, "mul", self.whole(size, "float32"), smallest))
        subnormal = less(diagrams, size, exactly(0x400, 32))
        found = choose(diagrams, subnormal, small, normal)
        return Vector((*found.bits[:31], diagrams.either(found.bits[31], stored.bits[15])))

    def _narrowed(self, value: Term, to: TermType) -> Vector:
        """Return a float32 rounded to a type of two bytes, to nearest, ties to even."""
        diagrams, bits = self.diagrams, self.of(value)
        size = Vector((*bits.bits[:31], NO))
        not_a_number = less(diagrams, exactly(_INFINITY, 32), size)
        if to == "bfloat16":
            odd = Vector((bits.bits[16],) + (NO,) * 31)
            sum_ = add(diagrams, add(diagrams, bits, exactly(0x7FFF, 32)), odd)
            quiet = logic(diagrams, "or", shift_right(bits, 16), exactly(0x40, 32))
            return resized(choose(diagrams, not_a_number, quiet, shift_right(sum_, 16)), 16)
        odd = Vector((bits.bits[13],) + (NO,) * 31)
        moved = subtract(diagrams, size, exactly(0x38000000 - 0xFFF, 32))
        normal = shift_right(add(diagrams, moved, odd), 13)
        half = self.store.constant(Fraction(1, 2), "float32")
        above_half = expand.operation(self.store, "abs", value)
        above_half = expand.operation(self.store, "add", above_half, half)
        small = subtract(diagrams, self.of(above_half), exactly(0x3F000000, 32))
        subnormal = less(diagrams, size, exactly(0x38800000, 32))
        finite = choose(diagrams, subnormal, small, normal)
        large = choose(diagrams, not_a_number, exactly(0x7E00, 32), exactly(0x7C00, 32))
        found = choose(diagrams, less(diagrams, size, exactly(0x47800000, 32)), finite, large)
        return Vector((*found.bits[:15], diagrams.either(found.bits[15], bits.bits[31])))

    def _at_random(self, value: Term, random: Term) -> Vector:
        """Return a float32 rounded up or down to bfloat16, by 16 random bits added below it."""
        diagrams, bits = self.diagrams, self.of(value)
        size = Vector((*bits.bits[:31], NO))
        finite = less(diagrams, size, exactly(_INFINITY, 32))
        sum_ = add(diagrams, bits, resized(self.of(random), 32))
        moved = shift_right(choose(diagrams, finite, sum_, bits), 16)
        not_a_number = less(diagrams, exactly(_INFINITY, 32), size)
        quiet = logic(diagrams, "or", moved, exactly(0x40, 32))
        return resized(choose(diagrams, not_a_number, quiet, moved), 16)

    def whole(self, vector: Vector, kind: TermType) -> Term:
        """Return a whole number as a float, which holds it exactly.

        Raises:
            Unsupported: It has more bits than are sure to be held.
        """
        bits = vector.bits
        while bits and bits[-1] == NO:
            bits = bits[:-1]
        if len(bits) > _EXPONENTS[kind][0] + 1:
            raise Unsupported(f"a whole number of {len(bits)} bits becomes a {kind}")
        if vector.number is not None:
            return self.store.constant(Fraction(vector.number), kind)
        found = self.store.make("whole", kind, payload=" ".join(map(str, bits)))
        self._wholes[found] = vector
        return found

    def named(self, vector: Vector, kind: TermType) -> Term:
        """Return a value that has some bits."""
        found = self.store.make("made", kind, payload=" ".join(map(str, vector.bits)))
        self._vectors[found] = vector
        return found

    def product(self, vector: Vector, by: int) -> Vector:
        """Return a product with a number: any bits, but always the same ones."""
        if vector.number is not None:
            return exactly(vector.number * by, len(vector.bits))
        name = f"{by} {' '.join(map(str, vector.bits))}"
        return resized(
            self.of(self.store.make("product", "bits64", payload=name)), len(vector.bits)
        )

    def not_a_number(self, value: Term) -> int:
        """Return where a value is a NaN."""
        return self._not_a_number(self.of(value), value.type)

    def value(self, vector: Vector, kind: TermType) -> Term | None:
        """Return the value that a vector is: another one, converted or with its sign changed.

        Returns:
            None if it is no such value.
        """
        if vector.number is not None:
            return constant(self.store, vector.number, kind)
        free = [self._free[n] for n in sorted(self.diagrams.words(vector.bits))]
        for candidate in self._candidates(free, kind):
            if self._same(vector, self.of(candidate), kind):
                return candidate
        return None

    def _candidates(self, free: list[Term], kind: TermType) -> Iterator[Term]:
        store = self.store
        yield from (term for term in free if term.type == kind)
        singles = [term for term in free if term.type == "float32"]
        singles += [convert(store, term, "float32") for term in free if term.type in HALVES]
        random = [term for term in free if term.type == "bits16"]
        if kind == "float32":
            yield from singles
        for term in singles:
            for half in HALVES if kind == "float32" else (kind,):
                if half in HALVES:
                    yield convert(store, convert(store, term, half), kind)
            if kind in ("float32", "bfloat16"):
                drawn = (rounded_at_random(store, term, number) for number in random)
                yield from (convert(store, rounded, kind) for rounded in drawn)
        for term in free:
            if term.type == kind:
                yield expand.operation(store, "abs", term)
                yield expand.negative(store, term)
                yield expand.negative(store, expand.operation(store, "abs", term))

    def tries(
        self, halves: tuple[Vector, Vector], names: Sequence[Term], kind: TermType
    ) -> Iterator[dict[Term, int]]:
        """Yield bits for values, those first for which two vectors differ if all else is free."""
        diagrams = self.diagrams
        nan = self._not_a_number(halves[1], kind)
        for a, b in zip(halves[0].bits, halves[1].bits, strict=True):
            differ = diagrams.choose(nan, NO, diagrams.differ(a, b))
            words = diagrams.example(differ)
            if words is not None:
                shown = {self._free[number]: word for number, word in words.items()}
                yield {name: shown.get(name, 0) for name in names}
        for number in range(_TRIES):
            random = np.random.default_rng(number)
            yield {name: _try(random, WIDTHS[name.type]) for name in names}

    def number(self, vector: Vector, given: Mapping[Term, int]) -> int:
        """Return the number that a vector is for some bits of values."""
        words = {}
        for number in self.diagrams.words(vector.bits):
            term = self._free[number]
            words[number] = given[term] if term in given else self._computed(term, given)
        return self.diagrams.number(vector.bits, words)

    def _computed(self, term: Term, given: Mapping[Term, int]) -> int:
        """Return the bits of a sum or a product inside a conversion."""
        values = []
        for operand in term.operands:
            if operand in self._wholes:
                values.append(np.float32(self.number(self._wholes[operand], given)))
            else:
                bits = self.number(self.of(operand), given)
                values.append(np.uint32(bits).view(np.float32))
        with np.errstate(all="ignore"):
            left, right = values
            found = np.float32(left + right if term.operation == "add" else left * right)
        return int(found.view(np.uint32))

    def _same(self, left: Vector, right: Vector, kind: TermType) -> bool:
        """Whether two vectors are the same value for all bits; all NaNs are one."""
        if left == right:
            return True
        if kind not in _EXPONENTS:
            return False
        diagrams = self.diagrams
        nans = [self._not_a_number(vector, kind) for vector in (left, right)]
        return nans[0] == nans[1] and all(
            a == b or diagrams.choose(nans[0], NO, a) == diagrams.choose(nans[0], NO, b)
            for a, b in zip(left.bits, right.bits, strict=True)
        )

    def _not_a_number(self, vector: Vector, kind: TermType) -> int:
        begin, count = _EXPONENTS[kind]
        found = NO
        for bit in vector.bits[:begin]:
            found = self.diagrams.either(found, bit)
        for bit in vector.bits[begin : begin + count]:
            found = self.diagrams.both(found, bit)
        return found


def _try(random: np.random.Generator, width: int) -> int:
    """Return bits at which conversions change what they do, or near them, of either sign."""
    corner = int(random.choice(_CORNERS[16 if width == 16 else 32])) & ((1 << width) - 1)
    near = int(random.choice((0, 0, 1, 2, 3)))
    return corner ^ near ^ int(random.integers(0, 2)) << (width - 1)


def is_nan(bits: int, kind: TermType) -> bool:
    """Whether some bits are a NaN of a type."""
    begin, count = _EXPONENTS[kind]
    ones = (1 << count) - 1
    return bits >> begin & ones == ones and bits & ((1 << begin) - 1) != 0


def bits_of(number: Term) -> int:
    """Return the bits of a constant; of NaN those of the usual one."""
    payload, kind = number.payload, number.type
    if payload == "nan":
        begin, count = _EXPONENTS[kind]
        return ((1 << (count + 1)) - 1) << (begin - 1)
    value = (
        -0.0
        if payload == "-0"
        else float(payload)
        if isinstance(payload, Fraction)
        else float(str(payload))
    )
    form = _FORMATS["float32" if kind == "bfloat16" else kind]
    found = int.from_bytes(struct.pack(form, value), "little")
    return found >> 16 if kind == "bfloat16" else found


def constant(store: Terms, bits: int, kind: TermType) -> Term:
    """Return the constant that some bits are.

    Raises:
        Unsupported: The type is none of floats.
    """
    if kind not in _EXPONENTS:
        raise Unsupported(f"{bits} as a constant of the type {kind}")
    form = _FORMATS["float32" if kind == "bfloat16" else kind]
    wide = bits << 16 if kind == "bfloat16" else bits
    (number,) = struct.unpack(form, wide.to_bytes(struct.calcsize(form), "little"))
    return store.number(number, kind)
