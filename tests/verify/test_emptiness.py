"""Regions without a point are recognised; those with one never are."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from optgen.domains import NONNEGATIVE, REAL, UNIT, Domain
from optgen.verify.deadline import Deadline
from optgen.verify.normal.convert import Converter, Program
from optgen.verify.normal.emptiness import contradiction
from optgen.verify.normal.factors import Factorer
from optgen.verify.normal.field import Field
from optgen.verify.normal.regions import Region
from optgen.verify.normal.simplex import combination
from optgen.verify.witness.inside import points_inside


def system(rows: list[tuple[list[int], int]]) -> list[tuple[list[Fraction], Fraction]]:
    return [([Fraction(c) for c in left], Fraction(right)) for left, right in rows]


def test_a_combination_solves_the_equations() -> None:
    rows = system([([1, 2, -1], 3), ([0, 1, 1], -2), ([2, 0, -3], 13)])
    assert combination(rows, lambda: None) is None  # the second would need something negative
    rows = system([([1, 2, -1], 3), ([0, 1, 1], 2), ([2, 1, 1], 8)])
    found = combination(rows, lambda: None)
    assert found is not None
    assert min(found) >= 0
    for left, right in rows:
        assert sum(c * x for c, x in zip(left, found, strict=True)) == right


def test_an_equation_that_cannot_hold() -> None:
    assert combination(system([([1, 1], -1)]), lambda: None) is None
    assert combination(system([([0, 0], 1)]), lambda: None) is None
    assert combination(system([([0, 0], 0)]), lambda: None) == [0, 0]


def region_of(
    domains: dict[str, Domain], conditions: list[tuple[str, set[int]]]
) -> Converter | None:
    """Return a converter where polynomials, written in Python, have signs; None if none is."""
    names = sorted(domains)
    space = Field(names, [domains[n] for n in names], 4, Deadline.after(10))
    factorer = Factorer(space)
    variables = dict(zip(names, space.ring.gens, strict=False))
    region: Region | None = Region()
    for text, signs in conditions:
        poly = eval(text, {}, variables)
        factors = factorer.factor(poly)
        assert len(factors.powers) == 1
        flip = 1 if factors.constant > 0 else -1
        assert region is not None
        region = region.refine(space, factors.powers[0][0], frozenset(s * flip for s in signs))
        if region is None:
            return None
    program = Program({}, {n: i for i, n in enumerate(names)})
    return Converter(program, factorer, region)


REALS = dict.fromkeys("xyz", REAL)
EMPTY = {
    "a chain": (REALS, [("x-y-1", {1}), ("y-z-1", {1}), ("z-x+1", {1})]),
    "a chain that closes": (REALS, [("x-y", {0, 1}), ("y-z", {1}), ("z-x", {0, 1})]),
    "a product": (REALS, [("x-y", {1}), ("z", {1}), ("x*z-y*z+1", {-1})]),
    "on a line": (REALS, [("x-y", {0}), ("x-y-z", {1}), ("z", {1})]),
    "a sum of what is not negative": (
        {"x": NONNEGATIVE, "y": UNIT, "z": REAL},
        [("x+y+1-z", {-1}), ("z-1", {-1})],
    ),
}
NOT_EMPTY = {
    "a chain": (REALS, [("x-y-1", {1}), ("y-z-1", {1}), ("z-x+3", {1})]),
    "a chain that closes": (REALS, [("x-y", {0, 1}), ("y-z", {0, 1}), ("z-x", {0, 1})]),
    "a curve": (REALS, [("x*x+y*y-1", {0}), ("x-y", {1})]),
    "ends": ({"x": UNIT, "y": NONNEGATIVE, "z": REAL}, [("x+y-1", {0, 1}), ("y-z", {-1, 0})]),
}


@pytest.mark.parametrize("name", EMPTY)
def test_regions_without_a_point(name: str) -> None:
    converter = region_of(*EMPTY[name])
    assert converter is None or contradiction(converter) is not None


@pytest.mark.parametrize("name", NOT_EMPTY)
def test_regions_with_points(name: str) -> None:
    domains, conditions = NOT_EMPTY[name]
    converter = region_of(domains, conditions)
    assert converter is not None
    assert contradiction(converter) is None
    found = points_inside(converter, random.Random(0))
    for _, point in zip(range(60), found, strict=False):
        values = [(eval(text, {}, point), signs) for text, signs in conditions if len(point) == 3]
        if values and all((v > 0) - (v < 0) in signs for v, signs in values):
            return
    if name != "a curve":  # its points are irrational but for few
        pytest.fail("no point was found in the region")
