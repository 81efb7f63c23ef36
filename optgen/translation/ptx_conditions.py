"""Predicates of a kernel: conditions on indices, on pointers, and on values.

Conditions on indices and pointers divide the threads of a launch into cases, which
are gone through one by one. Conditions on values become masks. `evaluate` says what
a condition is in the current case, or names the first one that has to be split.

    Condition = bool | Atom | Not | Both | Mask term
    Atom      = Less(poly): poly < 0 | Zero(poly): poly = 0 | Aligned(pointers, bytes)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from optgen.translation import expand
from optgen.translation.ptx_integers import (
    Number,
    Poly,
    Quotients,
    add,
    build,
    divisor,
    multiply,
    parts,
    subtract,
    symbols,
)
from optgen.translation.terms import Term, Terms


@dataclass(frozen=True, slots=True)
class Less:
    """`poly < 0`."""

    poly: Poly

    def __str__(self) -> str:
        return _comparison(self.poly, "<")


@dataclass(frozen=True, slots=True)
class Zero:
    """`poly = 0`."""

    poly: Poly

    def __str__(self) -> str:
        return _comparison(self.poly, "=")


@dataclass(frozen=True, slots=True)
class Aligned:
    """All these arrays begin at multiples of `bytes`."""

    pointers: frozenset[str]
    bytes: int

    def __str__(self) -> str:
        return f"{', '.join(sorted(self.pointers))} aligned to {self.bytes} bytes"


Atom = Less | Zero | Aligned
Facts = Mapping[Atom, bool]


@dataclass(frozen=True, slots=True, eq=False)
class Not:
    """The opposite."""

    condition: Condition


@dataclass(frozen=True, slots=True, eq=False)
class Both:
    """Both conditions."""

    left: Condition
    right: Condition


Condition = bool | Atom | Not | Both | Term


class Fork(Exception):
    """A condition that splits the threads into two cases."""

    def __init__(self, atom: Atom) -> None:
        super().__init__(str(atom))
        self.atom = atom


def _comparison(poly: Poly, sign: str) -> str:
    left = build({m: c for m, c in poly.parts if c > 0})
    right = build({m: -c for m, c in poly.parts if c < 0})
    return f"{left} {sign} {right}"


def less(left: Number, right: Number) -> Condition:
    """Return `left < right`."""
    return _canonical(subtract(left, right))


def _canonical(difference: Number) -> Condition:
    """Return `difference < 0` as an atom or the opposite of one, reduced."""
    if isinstance(difference, int):
        return difference < 0
    found = parts(difference)
    names = build({m: c for m, c in found.items() if m})
    shared = divisor(names)
    # shared*p + c < 0 holds exactly if p < ceil(-c/shared), that is p - ceil(-c/shared) < 0.
    reduced = {m: c // shared for m, c in parts(names).items()}
    limit = -(found.get((), 0) // shared)
    poly = add(build(reduced), -limit)
    assert isinstance(poly, Poly)
    leading = max(reduced)
    if reduced[leading] > 0:
        return Less(poly)
    other = subtract(-1, poly)
    assert isinstance(other, Poly)
    return Not(Less(other))


def equal(left: Number, right: Number) -> Condition:
    """Return `left = right`."""
    difference = subtract(left, right)
    if isinstance(difference, int):
        return difference == 0
    leading = max(m for m, _ in difference.parts if m)
    signed = difference if parts(difference)[leading] > 0 else multiply(-1, difference)
    assert isinstance(signed, Poly)
    return Zero(signed)


def atom_symbols(atom: Atom) -> frozenset[str]:
    """Return the symbols that an atom depends on."""
    return frozenset() if isinstance(atom, Aligned) else symbols(atom.poly)


def implied(atom: Atom, facts: Facts, known: Quotients) -> bool | None:
    """Return what the case says about an atom, or None."""
    if atom in facts:
        return facts[atom]
    match atom:
        case Less(poly):
            if _never_below(poly, 0, facts, known):
                return False
            return True if _never_below(subtract(-1, poly), 0, facts, known) else None
        case Zero(poly):
            below, above = subtract(-1, poly), subtract(poly, 1)
            apart = any(_never_below(p, 0, facts, known) for p in (below, above))
            return False if apart else None
        case Aligned(pointers, width):
            wider = any(
                isinstance(fact, Aligned)
                and holds
                and fact.bytes % width == 0
                and pointers <= fact.pointers
                for fact, holds in facts.items()
            )
            return True if wider else None


def _never_below(number: Number, limit: int, facts: Facts, known: Quotients) -> bool:
    """Whether a number is at least the limit: by itself, or by one of the facts."""
    low = known.least_value(subtract(number, limit))
    if low is not None and low >= 0:
        return True
    for fact, holds in facts.items():
        if isinstance(fact, Less):
            # What is known not to be negative.
            sure = subtract(-1, fact.poly) if holds else fact.poly
            for factor in (1, 2, 4, 8):
                scaled = multiply(factor, subtract(number, limit))
                low = known.least_value(subtract(scaled, sure))
                if low is not None and low > -factor:
                    return True
    return False


def not_negative(number: Number, facts: Facts, known: Quotients) -> bool:
    """Whether a number is never negative in this case."""
    return _never_below(number, 0, facts, known)


def evaluate(condition: Condition, facts: Facts, known: Quotients, store: Terms) -> bool | Term:
    """Return a condition's value in a case: settled, or a mask.

    Raises:
        Fork: It depends on an atom that the case does not settle.
    """
    match condition:
        case bool() | Term():
            return condition
        case Less() | Zero() | Aligned():
            found = implied(condition, facts, known)
            if found is None:
                raise Fork(condition)
            return found
        case Not(inner):
            value = evaluate(inner, facts, known, store)
            return not value if isinstance(value, bool) else expand.logic(store, "not", value)
        case Both(left, right):
            a = evaluate(left, facts, known, store)
            if a is False:
                return False
            b = evaluate(right, facts, known, store)
            if isinstance(a, bool):
                return b
            if isinstance(b, bool):
                return a if b else False
            return expand.logic(store, "and", a, b)
