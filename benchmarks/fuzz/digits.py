"""A judge by sampling: exact fractions while they last, then mpmath at 60 and more digits.

It knows nothing of the decider or its evaluators. What rounding could turn around
(a branch at a difference of about 0, a root of about 0) gives no value.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import isqrt

import mpmath

from fuzz.trees import Tree, sub
from optgen.domains import Domain

DIGITS = (60, 250, 1000)
Number = Fraction | mpmath.mpf
Point = dict[str, Fraction]
_LONGEST = 20_000  # bits of an exact fraction


class NoValue(Exception):
    """There is no value, or none that is certain at this precision."""


def evaluate(tree: Tree, point: Mapping[str, Fraction]) -> Number:
    """Return the value at a point, one element a tensor; raises `NoValue`."""
    match tree[0]:
        case "number":
            return tree[1]
        case "name":
            return point[tree[1]]
        case "add":
            return _settled(sum, [evaluate(part, point) for part in tree[1:]])
        case "mul":
            values = [evaluate(part, point) for part in tree[1:]]
            if any(isinstance(v, Fraction) and v == 0 for v in values):
                return Fraction(0)
            return _settled(_product, values)
        case "max" | "min":
            values = [evaluate(part, point) for part in tree[1:]]
            best = values[0]
            for value in values[1:]:
                if _above(value, best) == (tree[0] == "max"):
                    best = value
            # Rounding may have chosen: then not even an exact value counts as exact.
            return best if all(isinstance(v, Fraction) for v in values) else as_real(best)
        case "abs" | "norm":
            return abs(evaluate(tree[1], point))
        case "mean":
            return evaluate(tree[1], point)
        case "sign":
            return Fraction(_sign(evaluate(tree[1], point)))
        case "power":
            return _power(evaluate(tree[1], point), evaluate(tree[2], point))
        case "choice":
            for value, condition in tree[1:]:
                if _holds(condition, point):
                    return evaluate(value, point)
    raise NoValue


def _above(a: Number, b: Number) -> bool:
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a > b
    return bool(as_real(a) > as_real(b))


def _settled(function, values: list[Number]) -> Number:  # type: ignore[no-untyped-def]
    if all(isinstance(v, Fraction) for v in values):
        found = function(values)
        if max(found.numerator.bit_length(), found.denominator.bit_length()) < _LONGEST:
            return found
    return function([as_real(v) for v in values])


def as_real(value: Number) -> mpmath.mpf:
    """Return a number as one of the working precision."""
    if isinstance(value, Fraction):
        return mpmath.mpf(value.numerator) / value.denominator
    return value


def _product(values: list[Number]) -> Number:
    result = values[0]
    for value in values[1:]:
        result = result * value
    return result


def _is_blurred(value: mpmath.mpf) -> bool:
    """Whether a rounded number may be 0."""
    return bool(abs(value) < mpmath.mpf(10) ** (-mpmath.mp.dps // 2))


def _near_zero(exponent: Fraction) -> Number:
    """Return a power of what may be 0; a negative one would have no value, and more digits tell."""
    if exponent < 0:
        raise NoValue
    return mpmath.mpf(0)


def _sign(value: Number) -> int:
    if not isinstance(value, Fraction) and _is_blurred(value):
        raise NoValue
    return (value > 0) - (value < 0)


def _power(base: Number, exponent: Number) -> Number:
    if not isinstance(exponent, Fraction):
        raise NoValue
    top, bottom = exponent.numerator, exponent.denominator
    if abs(top) > 5000:
        raise NoValue
    if bottom > 1:
        if not isinstance(base, Fraction) and _is_blurred(base):
            return _near_zero(exponent)
        if _sign(base) < 0:
            raise NoValue
        while bottom % 2 == 0 and isinstance(base, Fraction):
            a, b = isqrt(base.numerator), isqrt(base.denominator)
            if a * a != base.numerator or b * b != base.denominator:
                break
            base, bottom = Fraction(a, b), bottom // 2
        if bottom > 1:
            base = mpmath.root(as_real(base), bottom)
    if top < 0:
        if _sign(base) == 0:
            raise NoValue
        base, top = _settled(lambda v: 1 / v[0], [base]), -top
    return _settled(lambda v: v[0] ** top, [base])


def _holds(tree: Tree, point: Mapping[str, Fraction]) -> bool:
    match tree[0]:
        case "and":
            return all([_holds(c, point) for c in tree[1:]])
        case "or":
            return any([_holds(c, point) for c in tree[1:]])
        case "not":
            return not _holds(tree[1], point)
    sign = _sign(evaluate(sub(tree[2], tree[3]), point))
    allowed = {"<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (0, 1), "==": (0,), "!=": (-1, 1)}
    return sign in allowed[tree[1]]


def differ(left: Tree, right: Tree, point: Mapping[str, Fraction], most: int = 2) -> bool | None:
    """Whether two expressions differ at a point; None where that is not certain.

    A difference seen with some digits must be there with four times as many.

    Args:
        left: An expression.
        right: Another.
        point: A value for each variable.
        most: How many precisions to try: 60 digits and 250, 250 and 1000, 1000 and 4000.
    """
    clear = False
    for digits in DIGITS[:most]:
        try:
            gaps = [_gap(left, right, point, d) for d in (digits, 4 * digits)]
        except NoValue:
            continue
        clear = True
        if gaps[0][2]:
            return gaps[0][0] != 0
        first, scale, _ = gaps[0]
        second = gaps[1][0]
        if first > scale * mpmath.mpf(10) ** (-digits // 2) and abs(first - second) < first / 100:
            return True
    return False if clear else None


def _gap(
    left: Tree, right: Tree, point: Mapping[str, Fraction], digits: int
) -> tuple[Number, Number, bool]:
    with mpmath.workdps(digits):
        a, b = evaluate(left, point), evaluate(right, point)
        exact = isinstance(a, Fraction) and isinstance(b, Fraction)
        scale = max(mpmath.mpf(1), abs(as_real(a)), abs(as_real(b)))
        return (abs(a - b) if exact else abs(as_real(a) - as_real(b))), scale, exact


def points(
    trees: tuple[Tree, ...], domains: Mapping[str, Domain], rng: random.Random, count: int
) -> Iterator[Point]:
    """Yield points: simple and random ones, ends of domains, and points near branches."""
    constants = sorted({c for tree in trees for c in _constants(tree)})
    gaps = sorted({gap for tree in trees for gap in _gaps(tree)}, key=repr)
    edges = list(_edges(gaps, domains, rng, constants)) if gaps else []
    yield from edges[: count // 2]
    for number in range(count):
        kind = number % 6
        found = {n: _value(d, kind, rng, constants) for n, d in domains.items()}
        if kind == 5 and len(found) > 1:  # equal values
            a, b = rng.sample(sorted(found), 2)
            if found[a] in domains[b]:
                found[b] = found[a]
        yield found


def _constants(tree: Tree) -> Iterator[Fraction]:
    if tree[0] == "number":
        yield tree[1]
    for part in tree:
        if isinstance(part, tuple):
            yield from _constants(part)


def _gaps(tree: Tree) -> Iterator[Tree]:
    """Yield what changes its sign where an expression takes another branch."""
    match tree[0]:
        case "compare":
            yield sub(tree[2], tree[3])
        case "max" | "min":
            yield sub(tree[1], tree[2])
        case "abs" | "sign":
            yield tree[1]
    for part in tree:
        if isinstance(part, tuple):
            yield from _gaps(part)


def _value(domain: Domain, kind: int, rng: random.Random, constants: list[Fraction]) -> Fraction:
    low, high = domain.low, domain.high
    for _ in range(30):
        if domain.integer:
            value = Fraction(rng.choice((1, 1, 2, 3, 5, 10, 40)))
        elif kind == 1:  # the ends, and near them
            near = Fraction(1, 10 ** rng.choice((0, 3, 12, 30)))
            ends = [end for end in (low, high) if end is not None] or [Fraction(0)]
            value = rng.choice(ends) + rng.choice((0, near, -near))
        elif kind == 2 and constants:
            shift = rng.choice((0, Fraction(1, 10**9), Fraction(-1, 10**9), 1))
            value = rng.choice(constants) + shift
        elif kind == 3:
            value = (
                rng.choice((1, -1))
                * Fraction(rng.randint(1, 99))
                * Fraction(10) ** rng.randint(-8, 8)
            )
        elif kind == 4:
            value = Fraction(rng.randint(-9, 9)) ** 2 / rng.randint(1, 9) ** 2
        else:
            value = Fraction(rng.randint(-400, 400), rng.randint(1, 99))
        if value not in domain and low is not None and high is not None:
            value = low + abs(value) / (1 + abs(value)) * (high - low)
        if value not in domain:
            value = -value
        if value in domain:
            return value
    return Fraction(1) if Fraction(1) in domain else (low or Fraction(0)) + Fraction(1, 2)


def _edges(
    gaps: list[Tree], domains: Mapping[str, Domain], rng: random.Random, constants: list[Fraction]
) -> Iterator[Point]:
    """Yield points at and beside where the sign of a gap changes along one variable."""
    for _ in range(8):
        gap = rng.choice(gaps)
        free = [n for n in domains if not domains[n].integer and ("name", n) in _leaves(gap)]
        if not free:
            continue
        variable = rng.choice(free)
        base = {n: _value(d, rng.choice((0, 2, 4)), rng, constants) for n, d in domains.items()}
        root = _crossing(gap, base, variable, domains[variable], rng, constants)
        if root is None:
            continue
        for shift in (
            0,
            Fraction(1, 10**15),
            Fraction(-1, 10**15),
            Fraction(1, 50),
            Fraction(-1, 50),
        ):
            value = root.limit_denominator(10**6) if shift == 0 else root + shift
            if value in domains[variable]:
                yield {**base, variable: value}


def _leaves(tree: Tree) -> set[Tree]:
    if tree[0] == "name":
        return {tree}
    return {leaf for part in tree if isinstance(part, tuple) for leaf in _leaves(part)}


def _crossing(
    gap: Tree,
    base: Point,
    variable: str,
    domain: Domain,
    rng: random.Random,
    constants: list[Fraction],
) -> Fraction | None:
    """Return a number at which the sign of a gap changes, by bisection."""
    ends: dict[int, Fraction] = {}
    with mpmath.workdps(30):
        for _ in range(12):
            value = _value(domain, rng.choice((0, 1, 2, 3)), rng, constants)
            try:
                ends.setdefault(_sign(evaluate(gap, {**base, variable: value})), value)
            except NoValue:
                continue
        if 0 in ends:
            return ends[0]
        if len(ends) < 2:
            return None
        low, high = ends[-1], ends[1]
        for _ in range(50):
            middle = ((low + high) / 2).limit_denominator(10**18)
            try:
                sign = _sign(evaluate(gap, {**base, variable: middle}))
            except NoValue:
                return middle
            if sign == 0:
                return middle
            low, high = (middle, high) if sign < 0 else (low, middle)
    return low
