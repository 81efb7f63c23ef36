"""Rewrite rules of max, min, abs, sign, choices and conditions."""

# ruff: noqa: D103  (a law says by its name what it does)

from __future__ import annotations

import random

from fuzz.laws_of_sums import positive_factor
from fuzz.trees import (
    ALWAYS,
    HALF,
    ONE,
    ZERO,
    Tree,
    add,
    choice,
    compare,
    div,
    mul,
    neg,
    nonnegative,
    number,
    power,
    root,
    sub,
)


def as_difference(t: Tree, rng: random.Random) -> Tree | None:
    return sub(("max", t, ZERO), ("max", neg(t), ZERO))


def as_sign_times_abs(t: Tree, rng: random.Random) -> Tree | None:
    return mul(("sign", t), ("abs", t))


def max_by_abs(t: Tree, rng: random.Random) -> Tree | None:
    a, b, *rest = t[1:]
    gap = ("abs", sub(a, b))
    half = mul(number(HALF), add(a, b, gap if t[0] == "max" else neg(gap)))
    return (t[0], half, *rest) if rest else half


def max_by_choice(t: Tree, rng: random.Random) -> Tree | None:
    if len(t) != 3:
        return None
    operator = rng.choice((">", ">=") if t[0] == "max" else ("<", "<="))
    return choice(compare(operator, t[1], t[2]), t[1], t[2])


def max_by_min(t: Tree, rng: random.Random) -> Tree | None:
    other = "min" if t[0] == "max" else "max"
    if rng.random() < 0.5 and len(t) == 3:
        return sub(add(t[1], t[2]), (other, t[1], t[2]))
    return neg((other, *(neg(p) for p in t[1:])))


def max_shifted(t: Tree, rng: random.Random) -> Tree | None:
    return add(t[1], (t[0], ZERO, *(sub(p, t[1]) for p in t[2:])))


def max_scaled(t: Tree, rng: random.Random) -> Tree | None:
    factor = positive_factor(t, rng)
    return div((t[0], *(mul(p, factor) for p in t[1:])), factor)


def max_squared(t: Tree, rng: random.Random) -> Tree | None:
    if all(nonnegative(p) for p in t[1:]):
        return root((t[0], *(power(p, 2) for p in t[1:])))
    return None


def abs_otherwise(t: Tree, rng: random.Random) -> Tree | None:
    u = t[1]
    return rng.choice(
        (
            ("max", u, neg(u)),
            mul(u, ("sign", u)),
            root(power(u, 2)),
            root(mul(u, u)),
            choice(compare(rng.choice((">", ">=")), u, ZERO), u, neg(u)),
            ("abs", neg(u)),
            add(("max", u, ZERO), ("max", ZERO, neg(u))),
            neg(("min", u, neg(u))),
        )
    )


def abs_of_product(t: Tree, rng: random.Random) -> Tree | None:
    if t[1][0] == "mul":
        return mul(*((t[0], p) for p in t[1][1:]))
    return None


def sign_otherwise(t: Tree, rng: random.Random) -> Tree | None:
    u = t[1]
    three = (
        "choice",
        (ONE, compare(">", u, ZERO)),
        (number(-1), compare("<", u, ZERO)),
        (ZERO, ALWAYS),
    )
    return rng.choice(
        (
            three,
            div(u, ("abs", u)),
            neg(("sign", neg(u))),
            ("sign", mul(u, positive_factor(u, rng))),
            div(u, root(power(u, 2))),
            ("sign", mul(power(u, 2), u)),
            power(("sign", u), 3),
        )
    )


def turn_choice(t: Tree, rng: random.Random) -> Tree | None:
    (value, holds), *rest = t[1:]
    other = rest[0][0] if len(rest) == 1 else ("choice", *rest)
    return choice(("not", holds), other, value)


def into_choice(t: Tree, rng: random.Random) -> Tree | None:
    for i, part in enumerate(t):
        if i and isinstance(part, tuple) and part[0] == "choice":
            return ("choice", *(((*t[:i], v, *t[i + 1 :]), c) for v, c in part[1:]))
    return None


def same_branch(t: Tree, rng: random.Random) -> Tree | None:
    (value, holds), *rest = t[1:]
    return ("choice", (value, holds), (value, holds), *rest)


def turn_comparison(t: Tree, rng: random.Random) -> Tree | None:
    _, operator, a, b = t
    back = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}[operator]
    opposite = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}[operator]
    factor = positive_factor(a, rng)
    return rng.choice(
        (
            compare(back, b, a),
            compare(operator, sub(a, b), ZERO),
            compare(back, neg(a), neg(b)),
            ("not", compare(opposite, a, b)),
            compare(operator, mul(a, factor), mul(b, factor)),
            compare(operator, add(a, factor), add(b, factor)),
        )
    )


def de_morgan(t: Tree, rng: random.Random) -> Tree | None:
    other = "or" if t[0] == "and" else "and"
    return ("not", (other, *(("not", c) for c in t[1:]))) if len(t) > 1 else None
