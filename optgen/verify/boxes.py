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
from itertools import product
from math import comb

from optgen.domains import Domain
from optgen.verify.field import Poly

Signs = frozenset[int]
ANY: Signs = frozenset((-1, 0, 1))
_MOST_FACES = 64
_LARGEST = 4000

_Terms = dict[tuple[int, ...], Fraction]


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
    terms: _Terms = {tuple(m[i] for i in used): Fraction(int(c)) for m, c in poly.items()}
    # Each variable: the positions of its non-negative variables, and the points they may not reach.
    choices: list[Sequence[frozenset[int]]] = []
    signed: list[int] = []
    for position, index in enumerate(used):
        domain = domains[index]
        if domain.low is None and domain.high is None:
            signed.append(position)
            choices.append((frozenset(),))  # it may be 0
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


def _transform(
    terms: _Terms, position: int, width: int, domain: Domain
) -> tuple[_Terms, int, Sequence[frozenset[int]]]:
    """Write one variable over variables that are not negative.

    Returns:
        The terms, the number of positions, and sets of positions: at every point of
        the domain all variables of one of the sets are positive.
    """
    low, high = domain.low, domain.high
    if high is None or low is None:
        end, factor = (low, 1) if high is None else (high, -1)
        assert end is not None
        is_open = domain.low_open if high is None else domain.high_open
        here = frozenset((position,)) if is_open else frozenset()
        if end == 0 and factor == 1:
            return terms, width, (here,)
        return _shift(terms, position, end, factor), width, (here,)
    # x = (low*z + high*y)/(z + y) with y at `position` and z at a new position.
    degree = max(m[position] for m in terms)
    result: _Terms = {}
    for monomial, coefficient in terms.items():
        power = monomial[position]
        expanded = _binomial(low, high, power)
        for i, c in expanded.items():  # y**i * z**(power - i)
            for j in range(degree - power + 1):
                y, z = i + j, (power - i) + (degree - power - j)
                key = (*monomial[:position], y, *monomial[position + 1 :], z)
                result[key] = result.get(key, Fraction(0)) + coefficient * c * comb(
                    degree - power, j
                )
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


def _binomial(low: Fraction, high: Fraction, power: int) -> dict[int, Fraction]:
    """Return the coefficients of (low*z + high*y)**power by the power of y."""
    found = {i: comb(power, i) * high**i * low ** (power - i) for i in range(power + 1)}
    return {i: Fraction(c) for i, c in found.items() if c}


def _shift(terms: _Terms, position: int, end: Fraction, factor: int) -> _Terms:
    result: _Terms = {}
    for monomial, coefficient in terms.items():
        power = monomial[position]
        for i in range(power + 1):
            key = (*monomial[:position], i, *monomial[position + 1 :])
            value = coefficient * comb(power, i) * end ** (power - i) * factor**i
            result[key] = result.get(key, Fraction(0)) + value
    return {m: c for m, c in result.items() if c}
