"""The independent evaluator: every witness is computed again here before it is believed.

It reads plain nested tuples (see `optgen.verify.serialise`), computes with exact
fractions, and encloses what is irrational between two fractions by integer
roots. It shares no code with the decider and imports the standard library only.
A value is a tuple with one interval for each element of the parameter.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from math import isqrt
from typing import Any, NamedTuple


class NoValue(Exception):
    """A division by 0, the root of a negative number, or an integer longer than `LONGEST`."""


class Unclear(Exception):
    """An enclosure is too wide to compare or divide by: more bits may help."""


class Interval(NamedTuple):
    """All numbers from `low` to `high`: one number if they are equal."""

    low: Fraction
    high: Fraction


Values = tuple[Interval, ...]
Tree = tuple[Any, ...]
LONGEST = 1 << 18  # bits of an integer


def exact(value: Fraction | int) -> Interval:
    """Return a number as an interval."""
    return Interval(Fraction(value), Fraction(value))


def _widen(a: Interval, bits: int, times: int = 1) -> Interval:
    """Round an inexact interval outwards to multiples of 2**-bits, to keep the fractions short."""
    if times * max(n.bit_length() for end in a for n in end.as_integer_ratio()) > LONGEST:
        raise NoValue("a number is too long")
    unit = 1 << bits
    low, high = (a.low * unit).__floor__(), (a.high * unit).__ceil__()
    return a if a.low == a.high else Interval(Fraction(low, unit), Fraction(high, unit))


def _plus(a: Interval, b: Interval) -> Interval:
    return Interval(a.low + b.low, a.high + b.high)


def _times(a: Interval, b: Interval) -> Interval:
    ends = [x * y for x in a for y in b]
    return Interval(min(ends), max(ends))


def _sign(a: Interval) -> int:
    if a.low <= 0 <= a.high and a.low != a.high:
        raise Unclear
    return (a.low > 0) - (a.low < 0)


def _root(a: Interval, bits: int) -> Interval:
    if a.low < 0:
        raise NoValue("the root of a negative number") if a.high < 0 else Unclear
    root = Fraction(*(isqrt(n) for n in a.low.as_integer_ratio()))
    if a.low == a.high == root**2:
        return exact(root)
    unit = 1 << bits
    low, high = (a.low * unit**2).__floor__(), (a.high * unit**2).__ceil__()
    return Interval(Fraction(isqrt(low), unit), Fraction(isqrt(high) + 1, unit))


def _power(base: Interval, exponent: Interval, bits: int) -> Interval:
    top, bottom = exponent.low.as_integer_ratio()
    if exponent.low != exponent.high or bottom & (bottom - 1) or abs(top) > 4096:
        raise NoValue("the exponent is not made of integers and square roots")
    while bottom > 1:
        base, bottom = _root(base, bits), bottom // 2
    if top < 0 and _sign(base) == 0:
        raise NoValue("a division by 0")
    base, top = (base, top) if top >= 0 else (Interval(1 / base.high, 1 / base.low), -top)
    _widen(base, bits, top)
    ends = (base.low**top, base.high**top)
    low = Fraction(0) if top and top % 2 == 0 and base.low < 0 < base.high else min(ends)
    return Interval(low, max(ends))


_FUNCTIONS: dict[str, Callable[[Sequence[Interval], int], Interval]] = {
    "add": lambda a, bits: reduce(_plus, a),
    "mul": lambda a, bits: reduce(_times, a),
    "power": lambda a, bits: _power(a[0], a[1], bits),
    "max": lambda a, bits: Interval(max(x.low for x in a), max(x.high for x in a)),
    "min": lambda a, bits: Interval(min(x.low for x in a), min(x.high for x in a)),
    "abs": lambda a, _: Interval(max(a[0].low, -a[0].high, Fraction()), max(map(abs, a[0]))),
    "sign": lambda a, bits: exact(_sign(a[0])),
}


def holds(tree: Tree, env: Mapping[str, Values], element: int, bits: int) -> bool:
    """Whether a condition holds for one element."""
    if tree[0] == "compare":
        a, b = (evaluate(side, env, bits)[element] for side in tree[2:])
        s = _sign(Interval(a.low - b.high, a.high - b.low))
        signs = {"<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (0, 1), "==": (0,), "!=": (-1, 1)}
        return s in signs[tree[1]]
    found = [holds(condition, env, element, bits) for condition in tree[1:]]
    return {"and": all(found), "or": any(found), "not": not all(found)}[tree[0]]


def evaluate(tree: Tree, env: Mapping[str, Values], bits: int) -> Values:
    """Return an expression's value for every element; raises `NoValue` or `Unclear`."""
    size = len(env["param"])
    if tree[0] == "number":
        return (exact(tree[1]),) * size
    if tree[0] == "name":
        return env[tree[1]]
    if tree[0] == "choice":
        values = [[v for v, c in tree[1:] if holds(c, env, i, bits)] for i in range(size)]
        if not all(values):
            raise NoValue("no condition holds")
        return tuple(evaluate(v[0], env, bits)[i] for i, v in enumerate(values))
    args = [evaluate(part, env, bits) for part in tree[1:]]
    if tree[0] == "norm":
        return (_root(reduce(_plus, (_power(a, exact(2), bits) for a in args[0])), bits),) * size
    if tree[0] == "mean":
        return (_times(reduce(_plus, args[0]), exact(Fraction(1, size))),) * size
    return tuple(_widen(_FUNCTIONS[tree[0]](row, bits), bits) for row in zip(*args, strict=True))


def run(
    rule: Sequence[tuple[str, Tree]], steps: Sequence[Mapping[str, Values]], bits: int
) -> list[list[tuple[str, Values]]]:
    """Return the assignments' values; `steps` is what each step is given, the first start too."""
    env: dict[str, Values] = {}
    trace: list[list[tuple[str, Values]]] = []
    for known in steps:
        env |= known
        trace.append([])
        for target, tree in rule:
            try:
                env[target] = evaluate(tree, env, bits)
                trace[-1].append((target, env[target]))
            except (NoValue, KeyError):  # what nothing reads need have no value
                env.pop(target, None)
                if target == "param":
                    raise NoValue("the parameter has no value") from None
    return trace
