"""Rewrite rules of powers and roots."""

# ruff: noqa: D103  (a law says by its name what it does)

from __future__ import annotations

import random
from fractions import Fraction

from fuzz.trees import (
    HALF,
    ONE,
    TWO,
    Tree,
    add,
    div,
    is_number,
    mul,
    nonnegative,
    number,
    positive,
    power,
    root,
    sub,
)


def root_of_square(t: Tree, rng: random.Random) -> Tree | None:
    if nonnegative(t):
        return rng.choice((root(power(t, 2)), power(root(t), 2), root(mul(t, t))))
    return None


def fourth_root(t: Tree, rng: random.Random) -> Tree | None:
    return power(power(t, Fraction(1, 4)), 4) if nonnegative(t) else None


def expand_square(t: Tree, rng: random.Random) -> Tree | None:
    if t[2] == TWO and t[1][0] == "add" and len(t[1]) == 3:
        a, b = t[1][1:]
        return add(power(a, 2), mul(TWO, a, b), power(b, 2))
    if t[2] == TWO:
        return mul(t[1], t[1])
    return mul(t[1], power(t[1], 2)) if t[2] == number(3) else None


def square_of_root(t: Tree, rng: random.Random) -> Tree | None:
    base, exponent = t[1:]
    if exponent == TWO and base[0] == "power" and base[2] == number(HALF):
        return base[1]
    if exponent == TWO and base[0] == "abs":
        return power(base[1], 2)
    if exponent == TWO:
        return power(("abs", base), 2)
    return None


def root_law(t: Tree, rng: random.Random) -> Tree | None:
    base, exponent = t[1:]
    if not is_number(exponent) or exponent[1].denominator == 1:
        return None
    if base[0] == "mul" and all(nonnegative(p) for p in base[1:]):
        return mul(*(power(p, exponent) for p in base[1:]))
    if base[0] == "power" and base[2] == TWO and exponent == number(HALF):
        return ("abs", base[1])
    if exponent[1] > 1:
        return mul(base, power(base, exponent[1] - 1))
    if exponent[1].denominator == 2:
        return rng.choice(
            (
                power(power(base, Fraction(1, 4)), 2 * exponent[1].numerator),
                div(power(base, exponent[1] + 1), base),
                power(power(base, -1), -exponent[1]) if positive(base) else t,
            )
        )
    if exponent[1].denominator == 4:
        return power(root(base), 2 * exponent[1])
    return None


def into_root(t: Tree, rng: random.Random) -> Tree | None:
    roots = [i for i, p in enumerate(t) if i and p[0] == "power" and p[2] == number(HALF)]
    if not roots:
        return None
    i = roots[0]
    rest = (*t[1:i], *t[i + 1 :])
    outside = mul(*rest) if rest else ONE
    if nonnegative(outside):
        return root(mul(power(outside, 2), t[i][1]))
    return mul(("sign", outside), root(mul(power(outside, 2), t[i][1])))


def merge_roots(t: Tree, rng: random.Random) -> Tree | None:
    roots = [p for p in t[1:] if p[0] == "power" and p[2] == number(HALF)]
    if len(roots) < 2:
        return None
    rest = [p for p in t[1:] if p not in roots]
    return mul(*rest, root(mul(*(r[1] for r in roots))))


def conjugate(t: Tree, rng: random.Random) -> Tree | None:
    base, exponent = t[1:]
    if exponent != number(-1) or base[0] != "add" or len(base) != 3:
        return None
    a, b = base[1:]
    return div(sub(a, b), sub(power(a, 2), power(b, 2)))


def shift_exponent(t: Tree, rng: random.Random) -> Tree | None:
    base, exponent = t[1:]
    if is_number(exponent):
        return None
    if exponent[0] == "add" and is_number(exponent[-1]):
        rest = add(*exponent[1:-1])
        return mul(power(base, rest), power(base, exponent[-1]))
    kind = rng.randrange(4)
    if kind == 0:
        return mul(base, power(base, add(exponent, number(-1))))
    if kind == 1:
        return div(power(base, add(exponent, ONE)), base)
    if kind == 2:
        return root(power(base, mul(TWO, exponent)))
    return power(power(base, exponent), 1)


def square_of_power(t: Tree, rng: random.Random) -> Tree | None:
    base, exponent = t[1:]
    if is_number(exponent) and base[0] == "power" and not is_number(base[2]):
        return power(base[1], mul(exponent, base[2])) if exponent[1] > 0 else None
    if not is_number(exponent) and base[0] == "name":
        return power(power(base, 2), mul(number(HALF), exponent))
    return None


def reciprocal_power(t: Tree, rng: random.Random) -> Tree | None:
    base, exponent = t[1:]
    if is_number(exponent) and exponent[1] < 0:
        return power(power(base, -exponent[1]), -1)
    if exponent == number(-1) and base[0] == "mul":
        return mul(*(power(p, -1) for p in base[1:]))
    return None
