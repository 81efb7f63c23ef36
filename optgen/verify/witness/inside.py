"""Points of a region that a proof stumbled over: where its conditions hold, or nearly all.

One variable after another is put where most conditions hold, the others kept: the roots of
the conditions in that variable cut its domain into intervals, and one is chosen. A condition
that is linear in the variable is met exactly. No point is promised to lie in the region.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import isqrt

import numpy as np

from optgen.domains import Domain
from optgen.verify.normal.boxes import Signs
from optgen.verify.normal.convert import Converter
from optgen.verify.normal.emptiness import conditions_of
from optgen.verify.normal.field import Field, Poly
from optgen.verify.witness.sampling import sample

_SWEEPS = 3
_MOST_TERMS = 80
_HIGHEST = 12
_BITS = 96  # of a root that is irrational
_LONGEST = 600
_GAPS = (Fraction(1, 2), Fraction(1, 3), Fraction(3, 4), Fraction(1, 64))

Point = dict[int, Fraction]


@dataclass(frozen=True, slots=True)
class _Place:
    """A region, as a search needs it."""

    space: Field
    conditions: Sequence[tuple[Poly, Signs]]
    values: Mapping[int, Poly]
    domains: Mapping[int, Domain]


def points_inside(converter: Converter, rng: random.Random) -> Iterator[dict[str, Fraction]]:
    """Yield points, by the names of the variables, for as long as wanted."""
    space, region = converter.space, converter.region
    variables = range(len(space.variables))
    domains = {i: region.domain(space, i) for i in variables}
    conditions = [(p, s) for p, s in conditions_of(converter) if len(p) <= _MOST_TERMS]
    place = _Place(space, conditions, region.values, domains)
    free = {space.variables[i]: domains[i] for i in variables if i not in region.values}
    attempt = 0
    while True:
        start = sample(free, rng, attempt)
        attempt += 1
        point = {i: start.get(space.variables[i], Fraction(0)) for i in variables}
        found = _settled(place, point, rng) if conditions else point
        _fix(place, found)
        if all(found[i] in domains[i] for i in variables):
            yield {space.variables[i]: found[i] for i in variables}
        else:
            yield {space.variables[i]: found[i] for i in variables if found[i] in domains[i]}


def _fix(place: _Place, point: Point) -> None:
    """Put in the place of a variable that the region fixes what it equals."""
    for _ in place.values:  # one may be written over another
        for index, rest in place.values.items():
            value = _value(place, rest, point)
            if value is not None:
                point[index] = value


def _settled(place: _Place, point: Point, rng: random.Random) -> Point:
    free = [i for i in point if i not in place.values]
    best = _score(place, point)
    for _ in range(_SWEEPS):
        rng.shuffle(free)
        for index in free:
            if best == len(place.conditions):
                return point
            for value in _candidates(place, point, index, rng):
                there = {**point, index: value}
                score = _score(place, there)
                if score > best or (score == best and rng.random() < 0.2):
                    point, best = there, score
    return point


def _score(place: _Place, point: Point) -> int:
    total = 0
    for poly, signs in place.conditions:
        value = _value(place, poly, point)
        total += value is not None and (value > 0) - (value < 0) in signs
    return total


def _candidates(place: _Place, point: Point, index: int, rng: random.Random) -> Iterator[Fraction]:
    """Yield values of one variable, one for each interval between roots of conditions."""
    domain = place.domains[index]
    cuts: set[Fraction] = set()
    for poly, _ in place.conditions:
        if index in place.space.occurring(poly):
            cuts |= _roots(_in_one(place, poly, point, index))
    if domain.integer:
        near = {Fraction(int(c) + k) for c in cuts for k in (-1, 0, 1, 2)}
        yield from sorted(c for c in near if c in domain)
        return
    cuts |= {end for end in (domain.low, domain.high) if end is not None}
    inner = sorted(cuts) or [point[index]]
    far = rng.choice((Fraction(1, 16), Fraction(1), Fraction(8), Fraction(1000)))
    gap = rng.choice(_GAPS)
    tries = [inner[0] - far, *inner, inner[-1] + far]
    tries += [a + gap * (b - a) for a, b in pairwise(inner)]
    rng.shuffle(tries)
    yield from (t for t in tries if t in domain)


def _in_one(place: _Place, poly: Poly, point: Point, index: int) -> list[Fraction]:
    """Return the coefficients of a polynomial in one variable, from the constant on."""
    found: dict[int, Fraction] = {}
    values = dict(point)
    for monomial, coefficient in poly.items():
        total: Fraction | None = Fraction(int(coefficient))
        for i, power in enumerate(monomial):
            if power and i != index:
                own = _generator(place, i, values)
                total = None if own is None or total is None else total * own**power
        if total is None:
            return []
        found[monomial[index]] = found.get(monomial[index], Fraction(0)) + total
    return [found.get(i, Fraction(0)) for i in range(max(found, default=0) + 1)]


def _roots(coefficients: list[Fraction]) -> set[Fraction]:
    while coefficients and not coefficients[-1]:
        coefficients = coefficients[:-1]
    if len(coefficients) < 2 or len(coefficients) > _HIGHEST + 1:
        return set()
    if len(coefficients) == 2:
        return {-coefficients[0] / coefficients[1]}
    largest = max(map(abs, coefficients))
    try:
        found = np.roots([float(c / largest) for c in reversed(coefficients)])
    except (OverflowError, np.linalg.LinAlgError, ValueError):
        return set()
    real = [float(r.real) for r in found if abs(r.imag) <= 1e-9 * (1 + abs(r.real))]
    exact = {Fraction(r).limit_denominator(1000) for r in real}
    return {Fraction(r) for r in real} | {
        e for e in exact if not sum((c * e**i for i, c in enumerate(coefficients)), Fraction(0))
    }


def _value(place: _Place, poly: Poly, point: Point) -> Fraction | None:
    """Return the value of a polynomial, roots in it rounded; None if it has none here."""
    total = Fraction(0)
    values = dict(point)
    for monomial, coefficient in poly.items():
        term = Fraction(int(coefficient))
        for i, power in enumerate(monomial):
            if power:
                own = _generator(place, i, values)
                if own is None:
                    return None
                term *= own**power
        total += term
    return total


def _generator(place: _Place, index: int, values: Point) -> Fraction | None:
    """Return the value of a generator, and keep it in `values`."""
    if index in values:
        return values[index]
    space = place.space
    generator, found = space.generators[index], None
    if generator.degree:
        inside = _value(place, generator.radicand, values)
        if inside is not None and inside >= 0:
            found = _root(inside, generator.degree)
    elif index in space.powers:
        base, term = space.powers[index]
        parts = [_value(place, p, values) for p in (base.numer, base.denom, term)]
        found = _power(*parts)
    if found is not None:
        values[index] = found
    return found


def _root(value: Fraction, degree: int) -> Fraction | None:
    if degree == 2:
        unit = 1 << _BITS
        return Fraction(isqrt(value.numerator * unit * unit // value.denominator), unit)
    try:
        return Fraction(float(value) ** (1 / degree))
    except OverflowError:
        return None


def _power(
    numer: Fraction | None, denom: Fraction | None, exponent: Fraction | None
) -> Fraction | None:
    if numer is None or not denom or exponent is None:
        return None
    base = numer / denom
    if exponent.denominator == 1 and abs(exponent) < 100 and (base or exponent >= 0):
        length = max(base.numerator.bit_length(), base.denominator.bit_length())
        if length * abs(exponent) < _LONGEST * 8:
            return base ** int(exponent)
    try:
        return Fraction(float(base) ** float(exponent)) if base > 0 else None
    except (OverflowError, ValueError, ZeroDivisionError):
        return None
