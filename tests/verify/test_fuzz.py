"""Random pairs, equal by rewriting and different by mutation: never a wrong verdict."""

from __future__ import annotations

import random
from fractions import Fraction

import mpmath
import sympy
from sympy import Abs, Max, Min, Rational, sign, sqrt

from optgen.domains import NONNEGATIVE, POSITIVE, STEP, UNIT
from optgen.symbols import step, symbol
from optgen.verify import Proved, Refuted, decide
from optgen.verify.deadline import Deadline

x, y, v, p, beta = map(symbol, ("x", "y", "v", "p", "beta"))
DOMAINS = {v: NONNEGATIVE, p: POSITIVE, beta: UNIT, step: STEP}
PAIRS = 240


def expression(rng: random.Random, depth: int) -> sympy.Expr:
    if depth == 0:
        leaves = (x, y, v, p, beta, beta**step, sympy.Integer(rng.randint(1, 3)), Rational(1, 2))
        return rng.choice(leaves)
    first, second = (expression(rng, depth - 1 - rng.randint(0, depth - 1)) for _ in range(2))
    kind = rng.randrange(9)
    if kind < 2:
        return first + second
    if kind < 4:
        return first * second
    if kind == 4:
        return first / (1 + second**2)
    if kind == 5:
        return sqrt(first**2 + p)
    if kind == 6:
        return Abs(first)
    return (Max if kind == 7 else Min)(first, second)


def rewritten(expr: sympy.Expr, rng: random.Random) -> sympy.Expr:
    """Return an equal expression, written differently in a few places."""
    if not expr.args:
        return expr
    args = [rewritten(arg, rng) for arg in expr.args]
    if isinstance(expr, Max | Min) and len(args) == 2 and rng.random() < 0.7:
        gap = Abs(args[0] - args[1])
        return (args[0] + args[1] + (gap if isinstance(expr, Max) else -gap)) / 2
    if isinstance(expr, Abs) and rng.random() < 0.5:
        return Max(args[0], -args[0]) if rng.random() < 0.5 else args[0] * sign(args[0])
    if isinstance(expr, sympy.Add) and rng.random() < 0.5:
        return sympy.expand(expr.func(*args))
    if isinstance(expr, sympy.Mul) and rng.random() < 0.3:
        return expr.func(*args) * (1 + v) / (1 + v)
    return expr.func(*args)


def mutated(expr: sympy.Expr, rng: random.Random) -> sympy.Expr:
    """Return an expression in which one leaf is another."""
    leaves = sorted(expr.atoms(sympy.Symbol) - {step}, key=str)
    if not leaves:
        return expr + 1
    old = rng.choice(leaves)
    return expr.xreplace({old: rng.choice([s for s in (x, y, v, p) if s != old])})


def differs_somewhere(left: sympy.Expr, right: sympy.Expr, rng: random.Random) -> bool:
    """Whether 50-digit sampling sees a difference."""
    symbols = sorted(left.free_symbols | right.free_symbols, key=str)
    functions = [sympy.lambdify(symbols, side, "mpmath") for side in (left, right)]
    with mpmath.workdps(50):
        for _ in range(12):
            point = [mpmath.mpf(inside(s, rng).numerator) / 60 for s in symbols]
            point = [
                mpmath.floor(1 + q) if s == step else q for s, q in zip(symbols, point, strict=True)
            ]
            a, b = (f(*point) for f in functions)
            if abs(a - b) > mpmath.mpf(10) ** -30 * (1 + abs(a)):
                return True
    return False


def inside(s: sympy.Symbol, rng: random.Random) -> Fraction:
    if s == beta:
        return Fraction(rng.randint(1, 59))
    low = 1 if s in DOMAINS else -200
    return Fraction(rng.randint(low, 200))


def test_fuzzed_pairs_are_decided_rightly() -> None:
    rng = random.Random(20240607)
    counts = {"Proved": 0, "Refuted": 0, "Undecided": 0}
    for number in range(PAIRS):
        left = expression(rng, 3)
        equal = number % 2 == 0
        right = rewritten(left, rng) if equal else mutated(left, rng)
        found = decide(left, right, DOMAINS, deadline=Deadline.after(2))
        counts[type(found).__name__] += 1
        if isinstance(found, Proved) and not equal:
            assert not differs_somewhere(left, right, rng), (left, right)
        if isinstance(found, Refuted) and equal:
            point = {symbol(n): Rational(q.numerator, q.denominator) for n, q in found.point}
            values = [side.xreplace(point).evalf(50) for side in (left, right)]
            assert abs(values[0] - values[1]) > 1e-30, (left, right, found)
            raise AssertionError(f"{left} and {right} are equal by rewriting: {found}")
    assert counts["Undecided"] <= PAIRS // 10, counts
    assert min(counts["Proved"], counts["Refuted"]) > PAIRS // 4, counts
