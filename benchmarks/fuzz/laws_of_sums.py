"""Rewrite rules of sums, products, fractions and numbers."""

# ruff: noqa: D103  (a law says by its name what it does)

from __future__ import annotations

import random
from fractions import Fraction

from fuzz.trees import (
    HALF,
    ONE,
    SCOPE,
    TWO,
    Tree,
    add,
    div,
    mul,
    name,
    neg,
    number,
    positive,
    power,
    root,
    sub,
    variables,
)

STEP = name("step")


def commute(t: Tree, rng: random.Random) -> Tree | None:
    parts = list(t[1:])
    rng.shuffle(parts)
    return (t[0], *parts)


def regroup(t: Tree, rng: random.Random) -> Tree | None:
    if len(t) > 3:
        return (t[0], t[1], (t[0], *t[2:]))
    flat: list[Tree] = []
    for part in t[1:]:
        flat += part[1:] if part[0] == t[0] else [part]
    return (t[0], *flat)


def distribute(t: Tree, rng: random.Random) -> Tree | None:
    sums = [i for i, part in enumerate(t) if i and part[0] == "add"]
    if not sums:
        return None
    i = rng.choice(sums)
    rest = (*t[1:i], *t[i + 1 :])
    return add(*(mul(*rest, part) for part in t[i][1:]))


def factor_out(t: Tree, rng: random.Random) -> Tree | None:
    first, second, *rest = t[1:]
    for part in first[1:] if first[0] == "mul" else (first,):
        others = list(second[1:]) if second[0] == "mul" else [second]
        if part in others:
            others.remove(part)
            mine = list(first[1:]) if first[0] == "mul" else [first]
            mine.remove(part)
            joined = mul(part, add(mul(*mine) if mine else ONE, mul(*others) if others else ONE))
            return add(joined, *rest)
    return None


def common_denominator(t: Tree, rng: random.Random) -> Tree | None:
    for i, part in enumerate(t):
        if i and part[0] == "mul":
            below = [p[1] for p in part[1:] if p[0] == "power" and p[2] == number(-1)]
            if below:
                d = below[0]
                at = part.index(power(d, -1))
                above = [*part[1:at], *part[at + 1 :]]
                others = [mul(p, d) for p in (*t[1:i], *t[i + 1 :])]
                return div(add(mul(*above) if above else ONE, *others), d)
    return None


def split_fraction(t: Tree, rng: random.Random) -> Tree | None:
    sums = [i for i, p in enumerate(t) if i and p[0] == "add"]
    below = [p for p in t[1:] if p[0] == "power" and p[2] == number(-1)]
    if not sums or not below:
        return None
    i = sums[0]
    return add(*(mul(p, *t[1:i], *t[i + 1 :]) for p in t[i][1:]))


def join_denominators(t: Tree, rng: random.Random) -> Tree | None:
    below = [p[1] for p in t[1:] if p[0] == "power" and p[2] == number(-1)]
    if len(below) < 2:
        return None
    above = [p for p in t[1:] if not (p[0] == "power" and p[2] == number(-1))]
    return mul(*above, power(mul(*below), -1))


def by_positive(t: Tree, rng: random.Random) -> Tree | None:
    factor = positive_factor(t, rng)
    if rng.random() < 0.5:
        return div(mul(t, factor), factor)
    return mul(factor, div(t, factor))


def positive_factor(t: Tree, rng: random.Random) -> Tree:
    known = variables(t) or sorted(SCOPE.get())
    some = name(rng.choice(known))
    known_here = SCOPE.get()
    factors = (
        add(power(some, 2), ONE),
        name("p"),
        add(name("p"), ("abs", some)),
        root(name("p")),
        sub(ONE, power(name("b"), STEP)),
        add(root(add(power(some, 2), ONE)), ONE),
        number(3),
        root(TWO),
    )
    return rng.choice([f for f in factors if all(n in known_here for n in variables(f))])


def add_and_subtract(t: Tree, rng: random.Random) -> Tree | None:
    known = variables(t) or sorted(SCOPE.get())
    terms = [name(rng.choice(known)), number(Fraction(1, 7))]
    if "p" in SCOPE.get():
        terms.append(root(name("p")))
    some = rng.choice(terms)
    return sub(add(t, some), some) if rng.random() < 0.5 else add(some, sub(t, some))


def twice_half(t: Tree, rng: random.Random) -> Tree | None:
    return mul(number(HALF), add(t, t)) if rng.random() < 0.5 else div(mul(TWO, t), TWO)


def double_reciprocal(t: Tree, rng: random.Random) -> Tree | None:
    return power(power(t, -1), -1) if positive(t) else None


def difference_of_squares(t: Tree, rng: random.Random) -> Tree | None:
    a, *rest = t[1:]
    if len(rest) != 1:
        return None
    b = rest[0]
    return div(sub(power(a, 2), power(b, 2)), sub(a, b))


def odd_number(t: Tree, rng: random.Random) -> Tree | None:
    value = t[1]
    choices = [div(number(2 * value), TWO), sub(number(value + 1), ONE)]
    if value > 0:
        choices += [root(number(value * value)), power(root(t), 2)]
        choices += [mul(root(number(value / 2)), root(number(2 * value)))]
    return rng.choice(choices)


def opaque(t: Tree, rng: random.Random) -> Tree | None:
    return ("norm", neg(t[1])) if t[0] == "norm" else None
