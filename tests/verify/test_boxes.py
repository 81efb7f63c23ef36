"""Signs of polynomials on boxes: what is claimed holds at every point that is tried."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import ZZ
from sympy.polys.rings import ring

from optgen.domains import NONNEGATIVE, POSITIVE, REAL, UNIT, Domain
from optgen.verify.normal.boxes import ANY, signs_on_box
from optgen.verify.witness.sampling import middle

R, x, y = ring("x, y", ZZ)
CLOSED = Domain.parse("[0, 1]")
BELOW = Domain.parse("(-oo, 2]")
DOMAINS = (REAL, NONNEGATIVE, POSITIVE, UNIT, CLOSED, BELOW, Domain.parse("(-1, 3)"))


@pytest.mark.parametrize(
    ("poly", "of_x", "of_y", "signs"),
    [
        (x, NONNEGATIVE, REAL, {0, 1}),
        (x, POSITIVE, REAL, {1}),
        (x**2, REAL, REAL, {0, 1}),
        (x**2 + 1, REAL, REAL, {1}),
        (1 - x, UNIT, REAL, {1}),
        (1 - x, CLOSED, REAL, {0, 1}),
        (1 - x * y, UNIT, CLOSED, {1}),
        (1 - x * y, CLOSED, CLOSED, {0, 1}),
        (x - 2, BELOW, REAL, {-1, 0}),
        (x - y, REAL, REAL, {-1, 0, 1}),
        (x * y - 1, POSITIVE, POSITIVE, {-1, 0, 1}),
        (R(-3), REAL, REAL, {-1}),
        (R(0), REAL, REAL, {0}),
    ],
)
def test_signs(poly: object, of_x: Domain, of_y: Domain, signs: set[int]) -> None:
    assert signs_on_box(poly, {0: of_x, 1: of_y}) == signs


def points(domain: Domain) -> st.SearchStrategy[Fraction]:
    low = domain.low if domain.low is not None else Fraction(-5)
    high = domain.high if domain.high is not None else Fraction(5)
    ends = [q for q in (low, high, middle(domain)) if q in domain]
    inside = st.fractions(low, high, max_denominator=20).filter(lambda q: q in domain)
    return st.one_of(inside, st.sampled_from(ends))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.data())
def test_no_point_has_another_sign(data: st.DataObject) -> None:
    of_x, of_y = (data.draw(st.sampled_from(DOMAINS)) for _ in range(2))
    exponents = st.tuples(st.integers(0, 3), st.integers(0, 3))
    terms = data.draw(st.dictionaries(exponents, st.integers(-3, 3), max_size=5))
    poly = R.from_dict({m: ZZ(c) for m, c in terms.items() if c})
    signs = signs_on_box(poly, {0: of_x, 1: of_y})
    assert signs <= ANY
    for _ in range(5):
        a, b = data.draw(points(of_x)), data.draw(points(of_y))
        value = sum(c * a**i * b**j for (i, j), c in terms.items())
        assert (value > 0) - (value < 0) in signs
