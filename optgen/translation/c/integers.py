"""Whole numbers that are linear in symbols, and what is known of them.

`Linear` counts without end. It stands for a machine's number as long as it is neither
negative nor too large for the type; whoever compares numbers asks for the first, and
arrays that fit into memory see to the second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import gcd

from optgen.verify.verdicts import Unsupported

_MOST = 400
"""Inequalities after which a proof is given up."""

LARGEST = 1 << 20
"""Coefficients beyond which no-one may say that a number does not wrap around."""


@dataclass(frozen=True, slots=True)
class Linear:
    """`constant` plus multiples of symbols; each symbol is named once, in order."""

    constant: int
    terms: tuple[tuple[str, int], ...]

    def coefficient(self, symbol: str) -> int:
        """Return the multiple of a symbol."""
        return dict(self.terms).get(symbol, 0)

    def __str__(self) -> str:
        words = [name if factor == 1 else f"{factor}*{name}" for name, factor in self.terms]
        return " + ".join([*words, *([str(self.constant)] if self.constant else [])])


Whole = int | Linear


def symbol(name: str) -> Linear:
    """Return a symbol as a number."""
    return Linear(0, ((name, 1),))


def _parts(value: Whole) -> tuple[int, dict[str, int]]:
    return (value, {}) if isinstance(value, int) else (value.constant, dict(value.terms))


def _whole(constant: int, terms: Mapping[str, int]) -> Whole:
    left = tuple(sorted((name, factor) for name, factor in terms.items() if factor))
    return Linear(constant, left) if left else constant


def plus(left: Whole, right: Whole, times: int = 1) -> Whole:
    """Return `left + times * right`."""
    if isinstance(left, int) and isinstance(right, int):
        return left + times * right
    constant, terms = _parts(left)
    more, others = _parts(right)
    for name, factor in others.items():
        terms[name] = terms.get(name, 0) + times * factor
    return _whole(constant + times * more, terms)


def minus(left: Whole, right: Whole) -> Whole:
    """Return a difference."""
    return plus(left, right, -1)


def scaled(value: Whole, factor: int) -> Whole:
    """Return a multiple."""
    return plus(0, value, factor)


def divided(value: Whole, by: int) -> Whole | None:
    """Return an exact quotient, or None if the parts are no multiples."""
    constant, terms = _parts(value)
    if any(part % by for part in (constant, *terms.values())):
        return None
    return _whole(constant // by, {name: factor // by for name, factor in terms.items()})


def put_in(value: Whole, name: str, number: Whole) -> Whole:
    """Return a number with another one in the place of a symbol."""
    constant, terms = _parts(value)
    factor = terms.pop(name, 0)
    return plus(_whole(constant, terms), number, factor)


@dataclass(frozen=True, slots=True)
class Condition:
    """`value >= 0`, or `value = 0` where `equal` is set; the opposite where `not holds`."""

    value: Linear
    equal: bool
    holds: bool = True

    def opposite(self) -> Condition:
        """Return the condition that holds where this one does not."""
        return Condition(self.value, self.equal, not self.holds)


@dataclass(slots=True)
class Facts:
    """Inequalities that hold on a path.

    Attributes:
        known: Numbers that are not negative.
        parts: The symbol of each quotient that was asked for.
    """

    known: list[Linear] = field(default_factory=list)
    parts: dict[tuple[Linear, int], Linear] = field(default_factory=dict)

    def never_negative(self, value: Whole) -> bool:
        """Whether it follows that a number is not negative."""
        if isinstance(value, int):
            return value >= 0
        return _impossible([*self.known, minus(-1, value)])

    def add(self, value: Whole) -> None:
        """Note that a number is not negative."""
        if isinstance(value, Linear):
            self.known.append(value)

    def decide(self, condition: Condition) -> bool | None:
        """Return whether a condition holds, or None."""
        value = condition.value
        if condition.equal:
            above, below = self.never_negative(value), self.never_negative(minus(0, value))
            found = True if above and below else None
            if self.never_negative(minus(value, 1)) or self.never_negative(minus(-1, value)):
                found = False
        elif self.never_negative(value):
            found = True
        else:
            found = False if self.never_negative(minus(-1, value)) else None
        return found if found is None else found == condition.holds

    def assume(self, condition: Condition) -> None:
        """Note that a condition holds."""
        value, opposite = condition.value, minus(0, condition.value)
        if not condition.equal:
            self.add(value if condition.holds else minus(-1, value))
        elif condition.holds:
            self.add(value)
            self.add(opposite)
        elif self.never_negative(value):
            self.add(minus(value, 1))
        elif self.never_negative(opposite):
            self.add(minus(opposite, 1))

    def quotient(self, value: Whole, by: int) -> Whole:
        """Return the whole part of `value / by`.

        Raises:
            Unsupported: The number might be negative, that is one that wraps around.
        """
        if isinstance(value, int):
            return value // by
        if not self.never_negative(value):
            raise Unsupported(f"{value} may be negative")
        _small(value)
        exact = divided(value, by)
        if exact is not None:
            return exact
        found = self.parts.get((value, by))
        if found is None:
            found = self.parts[value, by] = symbol(f"q{len(self.parts) + 1}")
            rest = minus(value, scaled(found, by))
            for fact in (found, rest, minus(by - 1, rest)):
                self.add(fact)
        return found


def compare(predicate: str, left: Whole, right: Whole, facts: Facts) -> Condition | bool:
    """Return what an unsigned comparison, or one for equality, says.

    Raises:
        Unsupported: A number might be one that wraps around.
    """
    difference = minus(left, right)
    for side in (left, right):
        _small(side)
    if predicate in ("eq", "ne"):
        if isinstance(difference, int):
            return (difference == 0) == (predicate == "eq")
        return Condition(difference, True, predicate == "eq")
    for side in (left, right):
        if not facts.never_negative(side):
            raise Unsupported(f"{side} may be negative")
    value = {
        "ult": minus(minus(0, difference), 1),
        "ule": minus(0, difference),
        "ugt": minus(difference, 1),
        "uge": difference,
    }[predicate.replace("s", "u", 1) if predicate[0] == "s" else predicate]
    return value >= 0 if isinstance(value, int) else Condition(value, False)


def _small(value: Whole) -> None:
    """Refuse numbers that might wrap around although arrays fit into memory."""
    if any(abs(factor) > LARGEST for factor in _parts(value)[1].values()):
        raise Unsupported(f"{value} may be too large")


def _impossible(facts: Iterable[Whole]) -> bool:
    """Whether no whole numbers make all of some numbers non-negative (Fourier and Motzkin)."""
    left: set[Linear] = set()
    for fact in facts:
        if isinstance(fact, int):
            if fact < 0:
                return True
        else:
            left.add(_tight(fact))
    while left:
        if len(left) > _MOST:
            return False
        counts: dict[str, list[int]] = {}
        for item in left:
            for name, factor in item.terms:
                counts.setdefault(name, [0, 0])[factor > 0] += 1
        name = min(counts, key=lambda n: (counts[n][0] * counts[n][1], n))
        below = [item for item in left if item.coefficient(name) < 0]
        above = [item for item in left if item.coefficient(name) > 0]
        left = {item for item in left if not item.coefficient(name)}
        for low in below:
            for high in above:
                up, down = high.coefficient(name), -low.coefficient(name)
                joined = plus(scaled(high, down), low, up)
                if isinstance(joined, int):
                    if joined < 0:
                        return True
                else:
                    left.add(_tight(joined))
    return False


def _tight(value: Linear) -> Linear:
    common = gcd(*(factor for _, factor in value.terms))
    if common == 1:
        return value
    terms = tuple((name, factor // common) for name, factor in value.terms)
    return Linear(value.constant // common, terms)
