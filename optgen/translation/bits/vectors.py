"""Arithmetic on vectors of functions: what machines do to whole numbers of a width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optgen.translation.bits.diagrams import NO, YES, Diagrams
from optgen.verify.verdicts import Unsupported


@dataclass(frozen=True, slots=True)
class Vector:
    """Bits, the lowest first."""

    bits: tuple[int, ...]

    @property
    def width(self) -> int:
        """How many there are."""
        return len(self.bits)

    @property
    def number(self) -> int | None:
        """The number that a vector always is; None if it depends on a value."""
        if any(bit > YES for bit in self.bits):
            return None
        return sum(bit << place for place, bit in enumerate(self.bits))


def exactly(number: int, width: int) -> Vector:
    """Return the low bits of a number."""
    return Vector(tuple(number >> place & 1 for place in range(width)))


def add(diagrams: Diagrams, left: Vector, right: Vector, carry: int = NO) -> Vector:
    """Return the low bits of a sum."""
    found = []
    for a, b in zip(left.bits, right.bits, strict=True):
        differ = diagrams.differ(a, b)
        found.append(diagrams.differ(differ, carry))
        carry = diagrams.choose(differ, carry, a)
    return Vector(tuple(found))


def subtract(diagrams: Diagrams, left: Vector, right: Vector) -> Vector:
    """Return the low bits of a difference."""
    return add(diagrams, left, invert(diagrams, right), YES)


def invert(diagrams: Diagrams, word: Vector) -> Vector:
    """Return a vector with every bit turned."""
    return Vector(tuple(map(diagrams.negate, word.bits)))


def logic(diagrams: Diagrams, name: str, left: Vector, right: Vector) -> Vector:
    """Return `and`, `or` or `xor`, bit by bit."""
    function = {"and": diagrams.both, "or": diagrams.either, "xor": diagrams.differ}[name]
    return Vector(tuple(map(function, left.bits, right.bits)))


def shift_left(word: Vector, by: int) -> Vector:
    """Return a vector moved up by some places, zeros below."""
    by = min(by, word.width)
    return Vector((NO,) * by + word.bits[: word.width - by])


def shift_right(word: Vector, by: int, *, signed: bool = False) -> Vector:
    """Return a vector moved down by some places; above stand zeros, or copies of the sign."""
    by = min(by, word.width)
    return Vector(word.bits[by:] + (word.bits[-1] if signed else NO,) * by)


def resized(word: Vector, width: int, *, signed: bool = False) -> Vector:
    """Return a vector of another width: its low bits, or zeros or copies of the sign above."""
    above = word.bits[-1] if signed else NO
    return Vector((*word.bits, *(above,) * (width - word.width))[:width])


def joined(parts: Sequence[Vector]) -> Vector:
    """Return one vector of several, the lowest first."""
    return Vector(tuple(bit for part in parts for bit in part.bits))


def less(diagrams: Diagrams, left: Vector, right: Vector, *, signed: bool = False) -> int:
    """Return where a number is less than another."""
    if signed:
        left, right = (
            Vector((*word.bits[:-1], diagrams.negate(word.bits[-1]))) for word in (left, right)
        )
    found = NO
    for a, b in zip(left.bits, right.bits, strict=True):
        found = diagrams.choose(diagrams.differ(a, b), b, found)
    return found


def equal(diagrams: Diagrams, left: Vector, right: Vector) -> int:
    """Return where two vectors are the same."""
    found = YES
    for a, b in zip(left.bits, right.bits, strict=True):
        found = diagrams.both(found, diagrams.negate(diagrams.differ(a, b)))
    return found


def choose(diagrams: Diagrams, asked: int, yes: Vector, no: Vector) -> Vector:
    """Return one vector where a function holds, and another where it does not."""
    if yes.width != no.width:
        raise Unsupported(f"a choice between {yes.width} and {no.width} bits")
    return Vector(
        tuple(diagrams.choose(asked, a, b) for a, b in zip(yes.bits, no.bits, strict=True))
    )


def compared(diagrams: Diagrams, predicate: str, left: Vector, right: Vector) -> int:
    """Return where a comparison holds: `eq`, `ne`, or `lt`, `le`, `gt`, `ge` behind `u` or `s`."""
    if predicate in ("eq", "ne"):
        same = equal(diagrams, left, right)
        return same if predicate == "eq" else diagrams.negate(same)
    signed, name = predicate[0] == "s", predicate[1:]
    if name in ("gt", "le"):
        left, right = right, left
    found = less(diagrams, left, right, signed=signed)
    return diagrams.negate(found) if name in ("le", "ge") else found
