"""Single-site changes: what makes two expressions different, most of the time."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction

from fuzz.expressions import polynomial
from fuzz.trees import (
    DOMAINS,
    HALF,
    ONE,
    ZERO,
    Tree,
    add,
    choice,
    compare,
    is_number,
    mul,
    name,
    neg,
    number,
    power,
    put,
    sites,
    sub,
    variables,
)

Change = Callable[[Tree, random.Random], Tree | None]
TINY = Fraction(1, 2**300)
VALUES = ("add", "mul", "power", "abs", "max", "min", "sign", "choice", "name", "number")


def mutated(tree: Tree, rng: random.Random, kind: str | None = None) -> tuple[Tree, str] | None:
    """Return an expression with one change, and the kind of the change."""
    kind = kind or rng.choice(sorted(CHANGES))
    change, tags = CHANGES[kind]
    fitting = [(path, node) for path, node in sites(tree) if node[0] in tags]
    rng.shuffle(fitting)
    for path, node in fitting:
        new = change(node, rng)
        if new is not None and new != node:
            return put(tree, path, new), kind
    return None


def _constant(t: Tree, rng: random.Random) -> Tree | None:
    return number(rng.choice((t[1] + 1, -t[1], 2 * t[1], t[1] / 3)))


def _sign(t: Tree, rng: random.Random) -> Tree | None:
    i = rng.randrange(1, len(t))
    return (*t[:i], neg(t[i]), *t[i + 1 :])


def _exponent(t: Tree, rng: random.Random) -> Tree | None:
    if not is_number(t[2]):
        return None
    others = {HALF: (Fraction(1, 4), ONE[1]), Fraction(2): (3, 1, 4), Fraction(-1): (-2, -HALF)}
    return power(t[1], rng.choice(others.get(t[2][1], (t[2][1] + 1,))))


def _tiny(t: Tree, rng: random.Random) -> Tree | None:
    if is_number(t):
        return number(t[1] + TINY)
    return rng.choice((mul(number(1 + TINY), t), add(t, number(TINY))))


def _some(t: Tree, rng: random.Random) -> str:
    return rng.choice(variables(t) or ["x"])


def _inside(variable: str, rng: random.Random) -> Fraction:
    """Return a simple number inside a variable's domain."""
    domain = DOMAINS[variable]
    for _ in range(50):
        value = Fraction(rng.randint(-8, 16), rng.choice((1, 1, 2, 4, 8, 10)))
        if value in domain:
            return value
    return Fraction(1)


def _narrow(t: Tree, rng: random.Random) -> Tree | None:
    """Differ between two near numbers only."""
    variable = _some(t, rng)
    if variable == "step":
        return None
    low = _inside(variable, rng)
    high = low + Fraction(1, 2 ** rng.choice((1, 3, 6, 10, 20, 40)))
    place = name(variable)
    inside = ("and", compare(">", place, number(low)), compare("<", place, number(high)))
    return choice(inside, add(t, rng.choice((ONE, name("p"), number(HALF)))), t)


def _far(t: Tree, rng: random.Random) -> Tree | None:
    """Differ for large values only."""
    variable = _some(t, rng)
    high = DOMAINS[variable].high
    limit = Fraction(10) ** rng.randint(1, 6)
    bound = number(limit if high is None else high - 1 / limit)
    return choice(compare(">", name(variable), bound), add(t, ONE), t)


def _branch(t: Tree, rng: random.Random) -> Tree | None:
    """Differ on one side of a curve only."""
    pool = tuple(variables(t)) or ("x",)
    here = compare(rng.choice(("<", ">")), polynomial(rng, pool), polynomial(rng, pool))
    return choice(here, rng.choice((neg(t), add(t, name("x")), mul(t, number(2)))), t)


def _point(t: Tree, rng: random.Random) -> Tree | None:
    """Differ at one value of a variable, or two, only."""
    variable = _some(t, rng)
    there: Tree = compare("==", name(variable), number(_inside(variable, rng)))
    if rng.random() < 0.3:
        other = _some(t, rng)
        if other != variable:
            there = ("and", there, compare("==", name(other), number(_inside(other, rng))))
    return choice(there, add(t, ONE), t)


def _curve(t: Tree, rng: random.Random) -> Tree | None:
    """Differ on a line or a curve only."""
    pool = variables(t)
    if len(pool) < 2:
        return None
    a, b = (name(found) for found in rng.sample(pool, 2))
    there = rng.choice(
        (
            compare("==", a, b),
            compare("==", a, mul(number(2), b)),
            compare("==", a, power(b, 2)),
            compare("==", add(a, b), ONE),
        )
    )
    return choice(there, add(t, number(rng.choice((1, -1)))), t)


def _epsilon(t: Tree, rng: random.Random) -> Tree | None:
    """Move what is added to a root under it."""
    for i, part in enumerate(t):
        if i and part[0] == "power" and part[2] == number(HALF):
            rest = (*t[1:i], *t[i + 1 :])
            squared = rng.random() < 0.5
            inside = [power(r, 2) if squared else r for r in rest]
            return power(add(part[1], *inside), HALF)
    return None


def _late(t: Tree, rng: random.Random) -> Tree | None:
    """Count one step more or less in an exponent."""
    if is_number(t[2]):
        return None
    return power(t[1], add(t[2], number(rng.choice((1, 1, 2)))))


def _swap(t: Tree, rng: random.Random) -> Tree | None:
    if t[1] == "step":
        return add(t, ONE)
    return name(rng.choice([other for other in DOMAINS if other not in (t[1], "step")]))


def _strict(t: Tree, rng: random.Random) -> Tree | None:
    other = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "<=", "!=": "<"}[t[1]]
    return compare(other, *t[2:])


def _turned(t: Tree, rng: random.Random) -> Tree | None:
    return ("min" if t[0] == "max" else "max", *t[1:])


def _dropped(t: Tree, rng: random.Random) -> Tree | None:
    i = rng.randrange(1, len(t))
    rest = (*t[1:i], *t[i + 1 :])
    return (t[0], *rest) if len(rest) > 1 else rest[0]


def _shrunk(t: Tree, rng: random.Random) -> Tree | None:
    return rng.choice((sub(t, name("p")), mul(t, name("a")), ZERO, add(t, mul(t, t))))


CHANGES: dict[str, tuple[Change, tuple[str, ...]]] = {
    "a constant": (_constant, ("number",)),
    "a sign": (_sign, ("add", "mul", "max", "min")),
    "an exponent": (_exponent, ("power",)),
    "2**-300": (_tiny, VALUES),
    "a narrow strip": (_narrow, VALUES),
    "far out": (_far, VALUES),
    "one side of a curve": (_branch, VALUES),
    "one point": (_point, VALUES),
    "one curve": (_curve, VALUES),
    "misplaced eps": (_epsilon, ("add",)),
    "one step off": (_late, ("power",)),
    "another variable": (_swap, ("name",)),
    "strictness": (_strict, ("compare",)),
    "max for min": (_turned, ("max", "min")),
    "a dropped part": (_dropped, ("add", "mul", "max", "min")),
    "another part": (_shrunk, VALUES),
}
"""Kinds of changes, and the tags of what they change."""
