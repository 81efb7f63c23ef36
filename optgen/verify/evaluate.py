"""The independent evaluator: every witness is computed again here before it is believed.

It reads plain nested tuples (see `optgen.verify.serialise`), computes with exact
fractions, and encloses what is irrational between two fractions by integer
roots. It shares no code with the decider and imports the standard library only.
A value is a tuple with one interval for each element of the parameter.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import reduce
from typing import Any, NamedTuple


class NoValue(Exception):
    """A division by 0, or the root of a negative number."""


class Unclear(Exception):
    """An enclosure is too wide to compare or divide by: more bits may help."""


class Interval(NamedTuple):
    """All numbers from `low` to `high`: one number if they are equal."""

    low: Fraction
    high: Fraction


Values = tuple[Interval, ...]
Tree = tuple[Any, ...]


def exact(value: Fraction | int) -> Interval:
    """Return a number as an interval."""
    return Interval(Fraction(value), Fraction(value))


def _widen(a: Interval, bits: int) -> Interval:
    """Round an inexact interval outwards to multiples of 2**-bits, to keep the fractions short."""
    unit = 1 << bits
    low, high = (a.low * unit).__floor__(), (a.high * unit).__ceil__()
    return a if a.low == a.high else Interval(Fraction(low, unit), Fraction(high, unit))


def _plus(a: Interval, b: Interval) -> Interval:
    return Interval(a.low + b.low, a.high + b.high)


def _times(a: Interval, b: Interval) -> Interval:
    ends = [x * y for x in a for y in b]
    return Interval(min(ends), max(ends))


def _invert(a: Interval) -> Interval:
    if _sign(a) == 0:
        raise NoValue("a division by 0")
    return Interval(1 / a.high, 1 / a.low)


def _sign(a: Interval) -> int:
    if a.low <= 0 <= a.high and a.low != a.high:
        raise Unclear
    return (a.low > 0) - (a.low < 0)


def _floor_root(n: int, degree: int) -> int:
    low, high = 0, 1 << (n.bit_length() // degree + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= n else (low, middle - 1)
    return low


def _root(a: Interval, degree: int, bits: int) -> Interval:
    if a.high < 0:
        raise NoValue("the root of a negative number")
    if a.low < 0:
        raise Unclear
    top, bottom = (_floor_root(n, degree) for n in a.low.as_integer_ratio())
    if a.low == a.high == Fraction(top, bottom) ** degree:
        return exact(Fraction(top, bottom))
    low, high = (
        (a.low * 2 ** (degree * bits)).__floor__(),
        (a.high * 2 ** (degree * bits)).__ceil__(),
    )
    return Interval(
        Fraction(_floor_root(low, degree), 1 << bits),
        Fraction(_floor_root(high, degree) + 1, 1 << bits),
    )


def _power(base: Interval, exponent: Interval, bits: int) -> Interval:
    top, degree = exponent.low.as_integer_ratio()
    if exponent.low != exponent.high or degree > 64:
        raise NoValue("the exponent is no simple fraction")
    if degree > 1:
        base = _root(base, degree, bits)
    if top < 0:
        base, top = _invert(base), -top
    ends = (base.low**top, base.high**top)
    low = Fraction(0) if top and top % 2 == 0 and base.low < 0 < base.high else min(ends)
    return Interval(low, max(ends))


def _apply(function: str, args: Sequence[Interval], bits: int) -> Interval:
    low, high = args[0]
    match function:
        case "add":
            return reduce(_plus, args)
        case "mul":
            return reduce(_times, args)
        case "power":
            return _power(args[0], args[1], bits)
        case "max":
            return Interval(max(a.low for a in args), max(a.high for a in args))
        case "min":
            return Interval(min(a.low for a in args), min(a.high for a in args))
        case "abs":
            return Interval(max(low, -high, Fraction(0)), max(-low, high))
        case "sign":
            return exact(_sign(args[0]))
    raise NoValue(f"'{function}' is unknown")


def holds(tree: Tree, env: Mapping[str, Values], element: int, bits: int) -> bool:
    """Whether a condition holds for one element."""
    match tree:
        case ("compare", operator, left, right):
            a, b = (evaluate(side, env, bits)[element] for side in (left, right))
            s = _sign(Interval(a.low - b.high, a.high - b.low))
            order = {"<": s < 0, "<=": s <= 0, ">": s > 0, ">=": s >= 0, "==": s == 0, "!=": s != 0}
            return order[operator]
        case ("not", condition):
            return not holds(condition, env, element, bits)
        case ("and", *conditions):
            return all([holds(c, env, element, bits) for c in conditions])
        case ("or", *conditions):
            return any([holds(c, env, element, bits) for c in conditions])
    raise NoValue(f"'{tree[0]}' is no condition")


def evaluate(tree: Tree, env: Mapping[str, Values], bits: int) -> Values:
    """Return an expression's value for every element; raises `NoValue` or `Unclear`."""
    size = len(env["param"])
    if tree[0] == "number":
        return (exact(tree[1]),) * size
    if tree[0] == "name":
        return env[tree[1]]
    if tree[0] == "choice":
        return tuple(_choose(tree[1:], env, i, bits) for i in range(size))
    args = [evaluate(part, env, bits) for part in tree[1:]]
    if tree[0] == "norm":
        total = reduce(_plus, (_power(a, exact(2), bits) for a in args[0]))
        return (_root(total, 2, bits),) * size
    if tree[0] == "mean":
        return (_times(reduce(_plus, args[0]), exact(Fraction(1, size))),) * size
    return tuple(_widen(_apply(tree[0], row, bits), bits) for row in zip(*args, strict=True))


def _choose(branches: Sequence[Any], env: Mapping[str, Values], i: int, bits: int) -> Interval:
    for value, condition in branches:
        if holds(condition, env, i, bits):
            return evaluate(value, env, bits)[i]
    raise NoValue("no condition holds")


def run(
    rule: Sequence[tuple[str, Tree]], steps: Sequence[Mapping[str, Values]], bits: int
) -> list[list[tuple[str, Values]]]:
    """Run a rule and return what every assignment gave, step by step.

    Args:
        rule: Target and right-hand side of each assignment, in order.
        steps: What is known anew at each step (gradient, step number); the first
            also holds the parameter, the states and the hyperparameters.
        bits: Precision of what is irrational.
    """
    env: dict[str, Values] = {}
    trace = []
    for known in steps:
        env |= known
        rows = []
        for target, tree in rule:
            env[target] = evaluate(tree, env, bits)
            rows.append((target, env[target]))
        trace.append(rows)
    return trace
