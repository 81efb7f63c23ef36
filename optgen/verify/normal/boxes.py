"""The signs that a polynomial takes on a box, as far as its coefficients tell.

Every variable is written over one or two that are not negative: `x = low + y` on
`[low, oo)`, `x = (low*z + high*y)/(z + y)` on `[low, high]`. If then no
coefficient is negative, the polynomial is not negative on the box; it is
positive if a term stays wherever variables reach 0. What the coefficients do
not tell is left open, so an answer is never wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import product
from math import comb, lcm

from optgen.domains import Domain
from optgen.verify.normal.field import Poly

Signs = frozenset[int]
ANY: Signs = frozenset((-1, 0, 1))
_MOST_FACES = 64
_LARGEST = 4000

_POINTS = 8
_CLEAR = 1e-9  # a value this small against its terms has no clear sign in floating point

_Terms = dict[tuple[int, ...], int]


def signs_on_box(poly: Poly, domains: Mapping[int, Domain]) -> Signs:
    """Return a set that holds every sign the polynomial takes on the box.

    Args:
        poly: A polynomial.
        domains: Domain of each generator that occurs, by index.
    """
    if poly.is_ground:
        value = poly.LC if poly else 0
        return frozenset(((value > 0) - (value < 0),))
    used = [i for i, degree in enumerate(poly.degrees()) if degree > 0]
    width = len(used)
    terms: _Terms = {tuple(m[i] for i in used): int(c) for m, c in poly.items()}
    if _has_both_signs(terms, [domains[i] for i in used]):
        return ANY
    boxes = [domains[i] for i in used]
    found = _written_over(terms, boxes, frozenset())
    even = {p for p in range(width) if not any(m[p] % 2 for m in terms)}
    kept = frozenset(p for p in even if boxes[p].low != 0)
    if len(found) > 1 and kept:
        found &= _written_over(terms, boxes, kept)
    return found


def _written_over(terms: _Terms, boxes: Sequence[Domain], kept: frozenset[int]) -> Signs:
    """Return the signs that coefficients allow; `kept` variables have even powers, and stay."""
    width = len(boxes)
    # Each variable: the positions of its non-negative variables, and the points they may not reach.
    choices: list[Sequence[frozenset[int]]] = []
    signed: list[int] = []
    for position, domain in enumerate(boxes):
        if not terms:  # where a variable has one value only
            return frozenset((0,))
        if position in kept or (domain.low is None and domain.high is None):
            signed.append(position)
            choices.append((frozenset(() if 0 in domain else (position,)),))
            continue
        terms, width, positive = _transform(terms, position, width, domain)
        choices.append(positive)
        if len(terms) > _LARGEST:
            return ANY
    return _from_coefficients(terms, signed, choices)


def _from_coefficients(
    terms: _Terms, signed: Sequence[int], choices: Sequence[Sequence[frozenset[int]]]
) -> Signs:
    if any(monomial[p] % 2 for monomial in terms for p in signed):
        return ANY
    kinds = {c > 0 for c in terms.values()}
    if not terms:
        return frozenset((0,))
    if len(kinds) > 1:
        return ANY
    sign = 1 if kinds.pop() else -1
    faces = 1
    for choice in choices:
        faces *= len(choice)
    if faces > _MOST_FACES:
        return frozenset((0, sign))
    supports = {frozenset(p for p, e in enumerate(m) if e) for m in terms}
    for face in product(*choices):
        alive = frozenset().union(*face)
        if not any(support <= alive for support in supports):
            return frozenset((0, sign))
    return frozenset((sign,))


def _has_both_signs(terms: _Terms, domains: Sequence[Domain]) -> bool:
    """Whether a few points of the box show both signs: then no proof need be tried.

    Floating point does: what is unclear counts as not seen.
    """
    seen = 0
    for number in range(_POINTS):
        point = [_inside(domain, number, i) for i, domain in enumerate(domains)]
        total = size = 0.0
        try:
            for monomial, coefficient in terms.items():
                value = float(coefficient)
                for x, power in zip(point, monomial, strict=True):
                    if power:
                        value *= x**power
                total += value
                size += abs(value)
        except OverflowError:
            continue
        if abs(total) > _CLEAR * size:
            seen |= 1 if total > 0 else 2
        if seen == 3:
            return True
    return False


def _inside(domain: Domain, number: int, index: int) -> float:
    """Return a point of a domain; the numbers spread over small and large ones."""
    share = ((number * 0.6180339887 + index * 0.7548776662) % 1.0) * 0.998 + 0.001
    if domain.low is not None and domain.high is not None:
        return float(domain.low) + share * float(domain.high - domain.low)
    far = (share / (1 - share)) ** 2
    if domain.low is not None:
        return float(domain.low) + far
    if domain.high is not None:
        return float(domain.high) - far
    return far if (number + index * number // 2) % 2 else -far


def _transform(
    terms: _Terms, position: int, width: int, domain: Domain
) -> tuple[_Terms, int, Sequence[frozenset[int]]]:
    """Write one variable over variables that are not negative, times a positive constant.

    Returns:
        The terms, the number of positions, and sets of positions: at every point of
        the domain all variables of one of the sets are positive.
    """
    low, high = domain.low, domain.high
    degree = max(m[position] for m in terms)
    if high is None or low is None:
        end, factor = (low, 1) if high is None else (high, -1)
        assert end is not None
        is_open = domain.low_open if high is None else domain.high_open
        here = frozenset((position,)) if is_open else frozenset()
        if end == 0 and factor == 1:
            return terms, width, (here,)
        return _shift(terms, position, end, factor, degree), width, (here,)
    # x = (low*z + high*y)/(z + y) with y at `position` and z at a new position.
    unit = lcm(low.denominator, high.denominator)
    bottom, top = int(low * unit), int(high * unit)
    rows = [_row(bottom, top, power, degree, unit) for power in range(degree + 1)]
    result: _Terms = {}
    for monomial, coefficient in terms.items():
        before, after = monomial[:position], monomial[position + 1 :]
        for y, c in rows[monomial[position]]:  # y**y * z**(degree - y)
            key = (*before, y, *after, degree - y)
            result[key] = result.get(key, 0) + coefficient * c
    y, z = position, width
    inside = frozenset((y, z))
    if domain.low_open and domain.high_open:
        positive: Sequence[frozenset[int]] = (inside,)
    elif domain.high_open:
        positive = (frozenset((z,)),)
    elif domain.low_open:
        positive = (frozenset((y,)),)
    else:
        positive = (frozenset((y,)), frozenset((z,)))
    return {m: c for m, c in result.items() if c}, width + 1, positive


@lru_cache(maxsize=4096)
def _row(bottom: int, top: int, power: int, degree: int, unit: int) -> tuple[tuple[int, int], ...]:
    """Return (bottom*z + top*y)**power * (unit*(z + y))**(degree - power), by the power of y."""
    found = [0] * (degree + 1)
    for i in range(power + 1):
        first = comb(power, i) * top**i * bottom ** (power - i)
        for j in range(degree - power + 1):
            found[i + j] += first * comb(degree - power, j) * unit ** (degree - power)
    return tuple((i, c) for i, c in enumerate(found) if c)


def _shift(terms: _Terms, position: int, end: Fraction, factor: int, degree: int) -> _Terms:
    """Put (end + factor*x) in the place of x, times a power of the denominator of `end`."""
    over, under = end.numerator, end.denominator
    result: _Terms = {}
    for monomial, coefficient in terms.items():
        power = monomial[position]
        before, after = monomial[:position], monomial[position + 1 :]
        for i in range(power + 1):
            key = (*before, i, *after)
            value = coefficient * comb(power, i) * over ** (power - i) * factor**i
            result[key] = result.get(key, 0) + value * under ** (degree - power + i)
    return {m: c for m, c in result.items() if c}
