"""Points on the borders of an expression: where an argument of max, abs, sign or a condition is 0.

Chance alone does not hit a spike that is narrow or far away, nor a difference at one
point. A border that is linear in some variable is met exactly by one secant step; any
other is come close to.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from optgen.domains import Domain
from optgen.verify.serialise import Tree, parts_of, walk

_MOST_BORDERS = 60
_SECANTS = 8
_LONGEST = 400  # bits of a coordinate
_MINUS_ONE: Tree = ("number", Fraction(-1))

Evaluate = Callable[[Tree, Mapping[str, Fraction]], Fraction | None]
"""Gives the value of a tree at a point, roughly if it is irrational; None if it has none."""


def borders_of(trees: Sequence[Tree]) -> tuple[Tree, ...]:
    """Return expressions that are 0 on the borders between regions in which trees look alike."""
    found: dict[int, Tree] = {}

    def add(a: Tree, b: Tree | None = None) -> None:
        border = a if b is None else ("add", a, ("mul", _MINUS_ONE, b))
        found.setdefault(len(found), border)

    for node in (n for tree in trees for n in walk(tree)):
        if len(found) >= _MOST_BORDERS:
            break
        tag = node[0]
        if tag in ("max", "min"):
            for a, b in zip(parts_of(node), parts_of(node)[1:], strict=False):
                add(a, b)
        elif tag in ("abs", "sign"):
            add(node[1])
        elif tag == "compare":
            add(node[2], node[3])
        elif tag == "power" and (node[2][0] != "number" or node[2][1].denominator > 1):
            add(node[1])
    return tuple(found.values())


def approach(
    point: Mapping[str, Fraction],
    borders: Sequence[Tree],
    domains: Mapping[str, Domain],
    rng: random.Random,
    evaluate: Evaluate,
) -> dict[str, Fraction]:
    """Move a point onto some borders, by another variable each, and perhaps a little off them."""
    here = dict(point)
    free = [name for name in sorted(point) if not domains[name].integer]
    rng.shuffle(free)
    chosen = rng.sample(list(borders), min(len(borders), len(free), rng.choice((1, 1, 2, 3))))
    for border in chosen:
        for name in free:
            moved = _onto(here, border, name, domains[name], evaluate)
            if moved is not None:
                here[name] = moved
                free.remove(name)
                if rng.random() < 0.4:
                    near = moved + rng.choice((1, -1)) * Fraction(
                        1, 2 ** rng.choice((1, 3, 5, 7, 9, 13, 33, 70))
                    )
                    here[name] = near if near in domains[name] else moved
                break
    return here


def _onto(
    point: Mapping[str, Fraction], border: Tree, name: str, domain: Domain, evaluate: Evaluate
) -> Fraction | None:
    """Return a value of one variable for which a border is 0, or nearly so."""
    a = point[name]
    b = a + Fraction(1, 8)
    if b not in domain:
        b = a - Fraction(1, 8) if a - Fraction(1, 8) in domain else a / 2
    first, second = (evaluate(border, {**point, name: x}) for x in (a, b))
    for _ in range(_SECANTS):
        if first is None or second is None:
            return None
        if second == 0:
            return b
        if first == second:
            return None
        new = b - second * (b - a) / (second - first)
        if max(new.numerator.bit_length(), new.denominator.bit_length()) > _LONGEST:
            new = Fraction(round(new * 2**_LONGEST), 2**_LONGEST)
        if new not in domain:
            return None
        a, first = b, second
        b, second = new, evaluate(border, {**point, name: new})
    return b
