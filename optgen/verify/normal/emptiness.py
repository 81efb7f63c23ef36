"""Finds out that a region has no point: a chain of conditions that cannot all hold.

Two ways, and the checker of certificates knows both by itself. A decided polynomial has
another sign on the box of the region than the one decided. Or a sum of conditions, times
numbers that are not negative, is 0 though one of them is positive (Farkas); products of
conditions count as conditions. What neither finds is left open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations_with_replacement
from math import lcm

from optgen.verify.normal.boxes import Signs
from optgen.verify.normal.convert import Converter
from optgen.verify.normal.field import Poly
from optgen.verify.normal.simplex import Row, combination

_Product = tuple[tuple[Poly, ...], Poly, bool]
"""Factors that are not negative, their product, and whether it is positive."""

_MOST_CONDITIONS = 60
_MOST_TERMS = 60
_MOST_PRODUCTS = 240


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A polynomial that would need a sign it cannot have.

    Attributes:
        poly: The polynomial.
        summands: Polynomials whose sum it is, each a product of the bases listed with it and a
            number; empty if its coefficients tell its sign.
    """

    poly: Poly
    summands: tuple[tuple[int, tuple[Poly, ...]], ...] = ()


def contradiction(converter: Converter) -> Contradiction | None:
    """Return what shows that a region has no point, None if nothing was found."""
    conditions = conditions_of(converter)
    return _on_box(converter, conditions) or _farkas(converter, conditions)


def plain_contradiction(converter: Converter) -> Contradiction | None:
    """Return a condition that cannot hold where the variables have their domains."""
    return _on_box(converter, conditions_of(converter))


def conditions_of(converter: Converter) -> tuple[tuple[Poly, Signs], ...]:
    """Return what is known in a region, with the variables that it fixes put in place."""
    return tuple(_conditions(converter))


def _conditions(converter: Converter) -> Iterator[tuple[Poly, Signs]]:
    """Yield the conditions that hold in a region, the domains of fixed variables included."""
    space, region = converter.space, converter.region
    for poly, signs in region.signs.items():
        settled = _settled(converter, poly)
        if settled or 0 not in signs:
            yield settled, signs
    for index, rest in region.values.items():
        domain = region.domain(space, index)
        for end, is_open, sign in (
            (domain.low, domain.low_open, 1),
            (domain.high, domain.high_open, -1),
        ):
            if end is not None:
                gap = _settled(converter, rest * end.denominator - end.numerator)
                yield gap, frozenset((sign,) if is_open else (0, sign))


def _settled(converter: Converter, poly: Poly) -> Poly:
    space = converter.space
    if not converter.region.values:
        return poly
    return space.reduce(converter.settled(converter.settled(space.reduce(poly))))


def _on_box(
    converter: Converter, conditions: tuple[tuple[Poly, Signs], ...]
) -> Contradiction | None:
    for poly, signs in conditions:
        if not converter.region.box_signs(converter.space, poly) & signs:
            return Contradiction(poly)
    return None


def _farkas(
    converter: Converter, conditions: tuple[tuple[Poly, Signs], ...]
) -> Contradiction | None:
    space = converter.space
    known: list[tuple[Poly, bool]] = []  # what is not negative, and whether it is positive
    for poly, signs in conditions:
        for sign in (1, -1):
            if signs <= {0, sign}:
                known.append((poly * sign, 0 not in signs))
    if not known:
        return None
    used = {i for poly, _ in known for i in space.occurring(poly)}
    for index in sorted(used):
        domain, x = converter.region.domain(space, index), space.ring.gens[index]
        if domain.low is not None:
            known.append((x * domain.low.denominator - domain.low.numerator, domain.low_open))
        if domain.high is not None:
            known.append((domain.high.numerator - x * domain.high.denominator, domain.high_open))
    known = [(poly, strict) for poly, strict in known if not poly.is_ground]
    if len(known) > _MOST_CONDITIONS:
        return None
    every: list[_Product] = [((poly,), poly, strict) for poly, strict in known]
    found = _combined(converter, every)
    if found is None and len(known) ** 2 < _MOST_PRODUCTS:
        every += [
            ((a, b), space.reduce(a * b), s and t)
            for (a, s), (b, t) in combinations_with_replacement(known, 2)
            if len(a) * len(b) < _MOST_TERMS
        ]
        found = _combined(converter, every)
    return found


def _combined(converter: Converter, every: list[_Product]) -> Contradiction | None:
    """Look for `sum(c*p) = -constant` with c >= 0 and something positive among the p."""
    space = converter.space
    monomials = sorted({m for _, poly, _ in every for m in poly})
    if len(monomials) > _MOST_TERMS:
        return None
    one = space.ring.zero_monom
    columns = [*(poly for _, poly, _ in every), space.one]
    strict = [*(s for _, _, s in every), True]
    rows: list[Row] = [
        ([Fraction(int(poly.get(m, 0))) for poly in columns], Fraction(0))
        for m in sorted({*monomials, one})
    ]
    rows.append(([Fraction(int(s)) for s in strict], Fraction(1)))
    found = combination(rows, space.deadline.check)
    if found is None:
        return None
    scale = lcm(*(c.denominator for c in found))
    numbers = [int(c * scale) for c in found]
    # What is positive, best a polynomial, is minus all the others: no point is left for it.
    chosen = next((i for i, (c, s) in enumerate(zip(numbers, strict, strict=True)) if c and s))
    parts = [
        (-c, every[i][0] if i < len(every) else ())
        for i, c in enumerate(numbers)
        if c and i != chosen
    ]
    return Contradiction(columns[chosen] * numbers[chosen], tuple(parts))
