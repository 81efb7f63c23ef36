"""Scales between states: left state = c * right state, c read off the first steps of both rules.

A first step from the initial states, at fixed numbers for the gradient and the
parameter, leaves states that are fractions of the hyperparameters. Their quotient is
the only c that can be. It is a guess, which `optgen.verify.runs.mapping` proves or drops.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import Any

from sympy.polys.domains import QQ
from sympy.polys.fields import FracElement, FracField

from optgen.domains import Domain
from optgen.verify.deadline import Deadline
from optgen.verify.runs.trajectories import Rule
from optgen.verify.serialise import Tree, serialise, upwards
from optgen.verify.witness.sampling import middle

_STEPS = 3
_MOST_TERMS = 200
_MOST_POWER = 16
_POINTS = (
    {"param": (1,), "grad": (1, 3, -2), "other": (2, 5, 1)},
    {"param": (3,), "grad": (2, -5, 1), "other": (1, -3, 4)},
)
"""Parameter, and gradients and further inputs of each step, at which both rules are run."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Two states are multiples of one: left state = left * x, right state = right * x.

    Attributes:
        left: A polynomial of the hyperparameters.
        right: Another, without common factor.
        constant: The hyperparameters that occur.
        texts: Both, for people.
    """

    left: Tree
    right: Tree
    constant: tuple[str, ...] = ()
    texts: tuple[str, str] = ("1", "1")

    @property
    def same(self) -> bool:
        """Whether the two states are equal."""
        return self.texts == ("1", "1")

    def relation(self, left: str, right: str) -> str:
        """Return how two states belong together, without a division by what may be 0."""
        times_left, times_right = (_times(text) for text in reversed(self.texts))
        return f"{times_left}left {left} = {times_right}right {right}"


def _times(factor: str) -> str:
    if factor in ("1", "-1"):
        return factor[:-1]
    return f"({factor})*" if " " in factor else f"{factor}*"


_ONE: Tree = ("number", Fraction(1))
SAME = Scale(_ONE, _ONE)


class Scales:
    """Finds the scale of each pair of states.

    Args:
        left: A rule.
        right: Another.
        domains: Domain of each shared hyperparameter.
        deadline: When to give up.
    """

    def __init__(
        self, left: Rule, right: Rule, domains: Mapping[str, Domain], deadline: Deadline
    ) -> None:
        names = sorted(domains) or ["_"]
        self._field = FracField(names, QQ)
        self._middle = [QQ(*middle(domains[n]).as_integer_ratio()) for n in sorted(domains)]
        self._middle = self._middle or [QQ(0)]
        self._names = sorted(domains)
        self._deadline = deadline
        self._runs = [(self._run(left, point), self._run(right, point)) for point in _POINTS]

    def between(self, left: str, right: str) -> Scale | None:
        """Return the scale of two states; None if they are no multiples of each other.

        Where nothing is known, as where a root occurs, the guess is that they are equal.
        """
        c: FracElement | None = None
        for run_left, run_right in self._runs:
            for a, b in zip(run_left[left], run_right[right], strict=False):
                if a is None or b is None or (not a and not b):
                    continue
                if not a or not b:
                    return None
                if c is None:
                    c = a / b
                elif c != a / b:
                    return None
        return SAME if c is None else self._scale(c)

    def _scale(self, c: FracElement) -> Scale:
        left, right = c.numer.as_expr(), c.denom.as_expr()
        if len(c.numer) == 1 and c.numer.is_ground and len(c.denom) == 1 and c.denom.is_ground:
            left, right = left / right, left / left  # a number stands on the left
        used = sorted(str(s.name) for s in (left.free_symbols | right.free_symbols))
        return Scale(serialise(left), serialise(right), tuple(used), (str(left), str(right)))

    def _run(
        self, rule: Rule, point: Mapping[str, tuple[int, ...]]
    ) -> dict[str, list[FracElement | None]]:
        """Return each state behind each step; None where its value is not a fraction."""
        field = self._field
        shared = dict(zip(self._names, field.gens, strict=False))
        env: dict[str, FracElement | None] = {}
        for name, tree in rule.hyperparameters:
            env[name] = self._value(tree, shared)
        env["param"] = field(point["param"][0])
        env |= {n: field(QQ(*v.as_integer_ratio())) for n, v in rule.initial}
        trace: dict[str, list[FracElement | None]] = {name: [] for name, _ in rule.initial}
        for k in range(_STEPS):
            for name in rule.inputs:
                env[name] = field(point["grad" if name == "grad" else "other"][k])
            env["step"] = field(k + 1)
            for target, tree in rule.lines:
                env[target] = self._value(tree, env)
            for name, values in trace.items():
                values.append(env[name])
        return trace

    def _value(self, tree: Tree, env: Mapping[str, FracElement | None]) -> FracElement | None:
        def node(part: Tree, args: tuple[Any, ...]) -> Any:
            self._deadline.check()
            if part[0] == "name":
                return env[part[1]]
            if part[0] == "number":
                return self._field(QQ(*part[1].as_integer_ratio()))
            if not isinstance(part[0], str):
                return args  # a branch of a choice
            if part[0] == "choice":
                return self._chosen(args)
            if any(a is None for a in args):
                return None
            return self._short(self._apply(part[0], part, args))

        value: FracElement | None = upwards(tree, node)
        return value

    def _short(self, value: Any) -> Any:
        if isinstance(value, FracElement) and len(value.numer) + len(value.denom) > _MOST_TERMS:
            return None
        return value

    def _chosen(self, branches: tuple[Any, ...]) -> FracElement | None:
        for value, condition in branches:
            if condition is None:
                return None
            if condition:
                found: FracElement | None = value
                return found
        return None

    def _apply(self, tag: str, part: Tree, args: tuple[Any, ...]) -> Any:
        match tag:
            case "and":
                return all(args)
            case "or":
                return any(args)
            case "not":
                return not args[0]
            case "compare":
                return self._holds(part[1], self._sign(args[0] - args[1]))
            case "add":
                return sum(args, self._field(0))
            case "mul":
                product = self._field(1)
                for a in args:
                    product *= a
                return product
            case "power":
                return self._power(args[0], args[1])
            case "abs" | "norm":
                return self._times(args[0], self._sign(args[0]))
            case "mean":
                return args[0]
            case "sign":
                sign = self._sign(args[0])
                return None if sign is None else self._field(sign)
            case "max" | "min":
                best = args[0]
                for a in args[1:]:
                    sign = self._sign(a - best)
                    if sign is None:
                        return None
                    best = a if (sign > 0) == (tag == "max") else best
                return best
        return None

    def _holds(self, operator: str, sign: int | None) -> bool | None:
        if sign is None:
            return None
        return {
            "<": sign < 0, "<=": sign <= 0, ">": sign > 0, ">=": sign >= 0,
            "==": sign == 0, "!=": sign != 0,
        }[operator]  # fmt: skip

    def _times(self, value: FracElement, sign: int | None) -> FracElement | None:
        return None if sign is None else value * sign

    def _sign(self, value: FracElement) -> int | None:
        """Return the sign in the middle of the domains: the branch that is looked at."""
        top, bottom = (self._at_middle(p) for p in (value.numer, value.denom))
        if not bottom or (not top and value):
            return None
        return (top * bottom > 0) - (top * bottom < 0)

    def _at_middle(self, poly: Any) -> Fraction:
        found = poly(*self._middle)
        return Fraction(int(found.numerator), int(found.denominator))

    def _power(self, base: FracElement, exponent: FracElement) -> FracElement | None:
        if not (exponent.numer.is_ground and exponent.denom.is_ground):
            return None
        power = self._at_middle(exponent.numer) / self._at_middle(exponent.denom)
        if power.denominator == 2:
            root = self._root(base)
            return None if root is None else self._power(root, exponent * 2)
        if power.denominator != 1 or abs(power) > _MOST_POWER or (not base and power < 0):
            return None
        return base ** int(power)

    def _root(self, value: FracElement) -> FracElement | None:
        if not (value.numer.is_ground and value.denom.is_ground):
            return None
        number = self._at_middle(value.numer) / self._at_middle(value.denom)
        if number < 0:
            return None
        top, bottom = isqrt(number.numerator), isqrt(number.denominator)
        if Fraction(top, bottom) ** 2 != number:
            return None
        return self._field(QQ(top, bottom))
