"""Integers of a kernel as polynomials: thread and block numbers, sizes, counts of passes.

    Number = int | Poly            Poly = sum of coefficient * product of symbols

Every symbol is an integer that is not negative. A quotient that does not come out
even is a symbol of its own, `floor((n)/4)`, which `Quotients` defines. Arithmetic
is that of whole numbers: that no index wraps around is assumed, and said.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

Monomial = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Poly:
    """A polynomial that is not constant, as sorted pairs of monomial and coefficient."""

    parts: tuple[tuple[Monomial, int], ...]

    def __str__(self) -> str:
        words = []
        for monomial, factor in sorted(self.parts, key=lambda part: (-len(part[0]), part[0])):
            names = "*".join(monomial)
            if not names:
                word = str(abs(factor))
            else:
                word = names if abs(factor) == 1 else f"{abs(factor)}*{names}"
            words.append(("-" if factor < 0 else "+", word))
        text = " ".join(f"{sign} {word}" for sign, word in words)
        return text.removeprefix("+ ")


Number = int | Poly


def symbol(name: str) -> Poly:
    """Return one symbol."""
    return Poly((((name,), 1),))


def parts(number: Number) -> Mapping[Monomial, int]:
    """Return the coefficient of each monomial; the constant stands at the empty one."""
    if isinstance(number, Poly):
        return dict(number.parts)
    return {(): number} if number else {}


def build(found: Mapping[Monomial, int]) -> Number:
    """Return the number with these coefficients."""
    kept = tuple(sorted((m, c) for m, c in found.items() if c))
    if not kept:
        return 0
    if len(kept) == 1 and not kept[0][0]:
        return kept[0][1]
    return Poly(kept)


def add(left: Number, right: Number) -> Number:
    """Return the sum."""
    if isinstance(left, int) and isinstance(right, int):
        return left + right
    total = dict(parts(left))
    for monomial, factor in parts(right).items():
        total[monomial] = total.get(monomial, 0) + factor
    return build(total)


def multiply(left: Number, right: Number) -> Number:
    """Return the product."""
    if isinstance(left, int) and isinstance(right, int):
        return left * right
    total: dict[Monomial, int] = {}
    for a, x in parts(left).items():
        for b, y in parts(right).items():
            both = tuple(sorted(a + b))
            total[both] = total.get(both, 0) + x * y
    return build(total)


def subtract(left: Number, right: Number) -> Number:
    """Return the difference."""
    return add(left, multiply(-1, right))


def symbols(number: Number) -> frozenset[str]:
    """Return the symbols that a number depends on."""
    if isinstance(number, int):
        return frozenset()
    return frozenset(name for monomial, _ in number.parts for name in monomial)


def constant(number: Number) -> int:
    """Return the part without a symbol."""
    return parts(number).get((), 0)


def linear_in(number: Number, name: str) -> tuple[Number, Number] | None:
    """Return `(a, b)` with `number = a*name + b`, both free of the name; None if there are none."""
    slope: dict[Monomial, int] = {}
    rest: dict[Monomial, int] = {}
    for monomial, factor in parts(number).items():
        if name not in monomial:
            rest[monomial] = factor
            continue
        left = list(monomial)
        left.remove(name)
        if name in left:
            return None
        slope[tuple(left)] = factor
    return build(slope), build(rest)


def replace(number: Number, name: str, value: Number) -> Number:
    """Return the number with a value put in for one symbol."""
    if name not in symbols(number):
        return number
    total: Number = 0
    for monomial, factor in parts(number).items():
        product: Number = factor
        for each in monomial:
            product = multiply(product, value if each == name else symbol(each))
        total = add(total, product)
    return total


def divisor(number: Number) -> int:
    """Return the greatest number that divides every coefficient; 0 for 0."""
    return math.gcd(*parts(number).values())


def divide_exactly(number: Number, by: int) -> Number | None:
    """Return the quotient if every coefficient is a multiple, else None."""
    found = parts(number)
    if any(factor % by for factor in found.values()):
        return None
    return build({monomial: factor // by for monomial, factor in found.items()})


def split(number: Number, by: int) -> tuple[Number, Number]:
    """Return `(a, b)` with `number = by*a + b`, the coefficients of `b` within [0, by)."""
    found = parts(number)
    return (
        build({monomial: factor // by for monomial, factor in found.items()}),
        build({monomial: factor % by for monomial, factor in found.items()}),
    )


@dataclass(slots=True)
class Quotients:
    """What is known of symbols: largest values, and quotients `floor(numerator/divisor)`."""

    largest: dict[str, int] = field(default_factory=dict)
    defined: dict[str, tuple[Number, int]] = field(default_factory=dict)

    def least_value(self, number: Number) -> int | None:
        """Return a lower bound, or None."""
        return self._bound(number, smallest=True)

    def largest_value(self, number: Number) -> int | None:
        """Return an upper bound, or None."""
        return self._bound(number, smallest=False)

    def _bound(self, number: Number, *, smallest: bool) -> int | None:
        total = 0
        for monomial, factor in parts(number).items():
            if (factor > 0) == smallest and monomial:
                continue  # the product is 0 at least
            product = factor
            for name in monomial:
                if name not in self.largest:
                    return None
                product *= self.largest[name]
            total += product
        return total

    def quotient(self, number: Number, by: int) -> Number:
        """Return `floor(number/by)`."""
        whole, rest = split(number, by)
        if self._fits(rest, by):
            return whole
        # A part that stays below `step`, a common divisor of the other parts, is dropped.
        for step in _divisors(by):
            kept = {m: c for m, c in parts(rest).items() if c % step == 0 and m}
            dropped = subtract(rest, build(kept))
            if step > 1 and kept and self._fits(dropped, step):
                rest = build(kept)
                break
        shared = math.gcd(by, divisor(rest))
        reduced = divide_exactly(rest, shared)
        assert reduced is not None
        return add(whole, self._symbol(reduced, by // shared))

    def remainder(self, number: Number, by: int) -> Number:
        """Return `number - by*floor(number/by)`."""
        _, rest = split(number, by)
        if self._fits(rest, by):
            return rest
        return subtract(number, multiply(by, self.quotient(number, by)))

    def bits(self, number: Number) -> int | None:
        """Return a mask of the bits that may be set, or None if terms may carry."""
        mask = 0
        for monomial, factor in parts(number).items():
            if factor < 0:
                return None
            own = factor
            if monomial:
                high = self.largest_value(build({monomial: factor}))
                low = (factor & -factor).bit_length() - 1
                own = (1 << (64 if high is None else high.bit_length())) - (1 << low)
            if own & mask:
                return None
            mask |= own
        return mask

    def _fits(self, rest: Number, by: int) -> bool:
        low, high = self.least_value(rest), self.largest_value(rest)
        return low is not None and high is not None and low >= 0 and high < by

    def _symbol(self, number: Number, by: int) -> Number:
        if by == 1:
            return number
        name = f"floor(({number})/{by})"
        self.defined[name] = (number, by)
        high = self.largest_value(number)
        if high is not None:
            self.largest[name] = high // by
        return symbol(name)


def _divisors(number: int) -> Iterator[int]:
    """Yield the powers of two that divide a number, large ones first."""
    step = number & -number
    while step > 1:
        yield step
        step //= 2
