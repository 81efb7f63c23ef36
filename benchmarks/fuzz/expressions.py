"""Random expressions of the fragment, and expressions shaped like optimizer rules."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction

from fuzz.trees import (
    DOMAINS,
    HALF,
    ONE,
    TWO,
    ZERO,
    Tree,
    add,
    choice,
    compare,
    div,
    mul,
    name,
    neg,
    nonnegative,
    number,
    positive,
    power,
    root,
    sub,
)

OPERATORS = ("<", "<=", ">", ">=")
STEP = name("step")


def expression(rng: random.Random, depth: int, pool: tuple[str, ...] = tuple(DOMAINS)) -> Tree:
    """Return a random expression over at most four of the variables in `pool`."""
    few = tuple(rng.sample(pool, min(len(pool), rng.randint(2, 4))))
    return _random(rng, depth, few)


def _random(rng: random.Random, depth: int, pool: tuple[str, ...]) -> Tree:
    if depth <= 0:
        return leaf(rng, pool)

    def part() -> Tree:
        return _random(rng, depth - 1 - rng.randint(0, 1), pool)

    kind = rng.random()
    if kind < 0.20:
        return add(*(part() for _ in range(rng.choice((2, 2, 2, 3)))))
    if kind < 0.38:
        return mul(*(part() for _ in range(rng.choice((2, 2, 2, 3)))))
    if kind < 0.48:
        return div(part(), denominator(rng, part()))
    if kind < 0.60:
        inside = part()
        if not nonnegative(inside):
            inside = rng.choice((add(power(inside, 2), name("p")), ("abs", inside)))
        return power(inside, rng.choice((HALF, HALF, HALF, HALF, Fraction(3, 2), Fraction(1, 4))))
    if kind < 0.66:
        return power(part(), rng.choice((2, 2, 3)))
    if kind < 0.75:
        return ("abs", part())
    if kind < 0.87:
        return (rng.choice(("max", "min")), part(), part())
    if kind < 0.91:
        return ("sign", part())
    if kind < 0.98:
        return choice(condition(rng, pool), part(), part())
    return (rng.choice(("norm", "mean")), polynomial(rng, pool))


def leaf(rng: random.Random, pool: tuple[str, ...]) -> Tree:
    """Return a variable, a number, or a power with the step in its exponent."""
    chance = rng.random()
    if chance < 0.2:
        return number(rng.choice((1, 2, 3, Fraction(1, 2), Fraction(1, 3), Fraction(9, 10), -1)))
    base = name(rng.choice(pool))
    if base[1] in ("a", "b") and rng.random() < 0.4:
        return power(base, rng.choice((STEP, STEP, add(STEP, ONE), add(STEP, number(-1)))))
    return base


def denominator(rng: random.Random, part: Tree) -> Tree:
    """Return something that is mostly not 0."""
    if positive(part):
        return part
    if nonnegative(part):
        return add(part, name("eps"))
    return rng.choice((part, add(power(part, 2), ONE), add(("abs", part), name("p"))))


def polynomial(rng: random.Random, pool: tuple[str, ...]) -> Tree:
    """Return a small polynomial."""
    names = [name(rng.choice(pool)) for _ in range(3)]
    kind = rng.randrange(5)
    if kind == 0:
        return names[0]
    if kind == 1:
        return sub(names[0], number(rng.choice((1, 2, HALF))))
    if kind == 2:
        return sub(names[0], names[1])
    if kind == 3:
        return sub(mul(names[0], names[1]), number(rng.choice((0, 1, 2))))
    return add(power(names[0], 2), mul(number(rng.choice((-1, -2, 1))), names[1]))


def condition(rng: random.Random, pool: tuple[str, ...]) -> Tree:
    """Return a condition on polynomials."""
    chance = rng.random()
    if chance < 0.1:
        return (rng.choice(("and", "or")), condition(rng, pool), condition(rng, pool))
    if chance < 0.15:
        return ("not", condition(rng, pool))
    left = polynomial(rng, pool)
    right = rng.choice((ZERO, ZERO, ONE, polynomial(rng, pool)))
    return compare(rng.choice(OPERATORS), left, right)


def shaped(rng: random.Random) -> Tree:
    """Return an expression such as optimizers have them."""
    found: Tree = rng.choice(_SHAPES)(rng)
    return found


def _average(rng: random.Random, old: str, new: Tree, beta: str) -> Tree:
    """Return beta*old + (1 - beta)*new, as rules write it in several ways."""
    b, m = name(beta), name(old)
    return rng.choice(
        (
            add(mul(b, m), mul(sub(ONE, b), new)),
            add(m, mul(sub(ONE, b), sub(new, m))),
            sub(new, mul(b, sub(new, m))),
        )
    )


def _corrected(value: Tree, beta: str) -> Tree:
    return div(value, sub(ONE, power(name(beta), STEP)))


def _gradient(rng: random.Random) -> Tree:
    return rng.choice((name("g"), name("g"), add(name("g"), mul(name("w"), name("y")))))


def _adam(rng: random.Random) -> Tree:
    g = _gradient(rng)
    m = _average(rng, "x", g, "a")
    v = _average(rng, "v", power(g, 2), "b") if rng.random() < 0.6 else name("v")
    if rng.random() < 0.7:
        m = _corrected(m, "a")
    kind = rng.randrange(4)
    if kind == 0:
        denom = add(root(_corrected(v, "b")), name("eps"))
    elif kind == 1:
        denom = root(add(_corrected(v, "b"), name("eps")))
    elif kind == 2:
        denom = add(div(root(v), root(sub(ONE, power(name("b"), STEP)))), name("eps"))
    else:
        denom = add(root(v), name("eps"))
    return sub(name("y"), mul(name("p"), div(m, denom)))


def _amsgrad(rng: random.Random) -> Tree:
    highest = ("max", name("w"), _average(rng, "v", power(name("g"), 2), "b"))
    if rng.random() < 0.5:
        highest = _corrected(highest, "b")
    return div(name("x"), add(root(highest), name("eps")))


def _adamax(rng: random.Random) -> Tree:
    m = _corrected(_average(rng, "x", name("g"), "a"), "a")
    return div(
        mul(name("p"), m), add(("max", mul(name("b"), name("v")), ("abs", name("g"))), name("eps"))
    )


def _lion(rng: random.Random) -> Tree:
    return sub(name("y"), mul(name("p"), ("sign", _average(rng, "x", _gradient(rng), "a"))))


def _nesterov(rng: random.Random) -> Tree:
    m = add(mul(name("a"), name("x")), _gradient(rng))
    return sub(name("y"), mul(name("p"), add(name("g"), mul(name("a"), m))))


def _rprop(rng: random.Random) -> Tree:
    product = mul(name("g"), name("x"))
    grown = ("min", mul(name("p"), number(Fraction(6, 5))), number(50))
    shrunk = ("max", mul(name("p"), HALF_TREE), number(Fraction(1, 10**6)))
    steps = (
        "choice",
        (grown, compare(">", product, ZERO)),
        (shrunk, compare("<", product, ZERO)),
        (name("p"), ("and",)),
    )
    return sub(name("y"), mul(steps, ("sign", name("g"))))


def _trust(rng: random.Random) -> Tree:
    update = add(div(name("x"), add(root(name("v")), name("eps"))), mul(name("w"), name("y")))
    top, bottom = ("norm", name("y")), ("norm", update if rng.random() < 0.5 else name("g"))
    ratio = choice(
        ("and", compare(">", top, ZERO), compare(">", bottom, ZERO)), div(top, bottom), ONE
    )
    return sub(name("y"), mul(name("p"), ratio, update))


def _clipped(rng: random.Random) -> Tree:
    if rng.random() < 0.5:
        return mul(name("g"), ("min", ONE, div(name("p"), add(("norm", name("g")), name("eps")))))
    return ("min", ("max", name("g"), neg(name("p"))), name("p"))


def _rectified(rng: random.Random) -> Tree:
    late = power(name("b"), STEP)
    length = sub(name("w"), div(mul(TWO, STEP, late), sub(ONE, late)))
    inside = div(mul(sub(length, number(4)), sub(length, TWO)), mul(name("p"), length))
    return choice(compare(">", length, number(5)), mul(root(inside), name("x")), name("x"))


def _adagrad(rng: random.Random) -> Tree:
    total = add(name("v"), power(_gradient(rng), 2))
    rate = div(name("p"), add(ONE, mul(sub(STEP, ONE), name("w"))))
    return sub(name("y"), div(mul(rate, name("g")), add(root(total), name("eps"))))


def _centred(rng: random.Random) -> Tree:
    spread = sub(_average(rng, "v", power(name("g"), 2), "b"), power(name("x"), 2))
    return div(name("g"), add(root(("max", spread, ZERO)), name("eps")))


def _shrunk(rng: random.Random) -> Tree:
    moved = sub(name("y"), mul(name("p"), name("g")))
    return mul(("sign", moved), ("max", sub(("abs", moved), name("w")), ZERO))


HALF_TREE = number(HALF)
_SHAPES: tuple[Callable[[random.Random], Tree], ...] = (
    *(_adam, _adam, _adam, _amsgrad, _adamax, _lion, _nesterov, _rprop),
    *(_trust, _clipped, _rectified, _adagrad, _centred, _shrunk),
)
