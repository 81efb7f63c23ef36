"""Signs of fractions of polynomials in a region, by the signs of their factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from optgen.verify.normal.boxes import ANY, Signs
from optgen.verify.normal.factors import Factorer
from optgen.verify.normal.field import Field, Poly, Quotient
from optgen.verify.normal.regions import NeedSplit, Region

_Factor = tuple[Poly, int, bool]
"""A base, its exponent, and whether it divides."""


def in_powers(space: Field, poly: Poly, index: int) -> tuple[Poly, Poly, Poly]:
    """Return a, b and c of a*x**2 + b*x + c, with None for a if it is no number or not there."""
    parts: list[dict[tuple[int, ...], Any]] = [{}, {}, {}]
    for monomial, coefficient in poly.items():
        if monomial[index] > 2:
            return None, None, None
        rest = (*monomial[:index], 0, *monomial[index + 1 :])
        parts[monomial[index]][rest] = coefficient
    low, middle, high = (space.ring.from_dict(part) for part in parts)
    return (high if high and high.is_ground else None), middle, low


@dataclass(frozen=True, slots=True)
class SignReader:
    """Reads signs in one region.

    Attributes:
        space: The field.
        factorer: Factors its polynomials.
        region: The region.
    """

    space: Field
    factorer: Factorer
    region: Region

    def known(self, poly: Poly) -> Signs:
        """Return a set that holds every sign of a polynomial in the region."""
        found = self.region.box_signs(self.space, poly)
        if len(found) == 1:
            return found
        factors = self.factorer.factor(poly)
        signs: Signs = frozenset((1 if factors.constant > 0 else -1,))
        for base, exponent in factors.powers:
            own = self.of_factor(base)
            own = own if exponent % 2 else frozenset(s * s for s in own)
            signs = frozenset(a * b for a in signs for b in own)
        return found & signs

    def known_quotient(self, value: Quotient) -> Signs:
        """Return a set that holds every sign of a quotient, where it has a value."""
        return self.known(self.space.product(value.numer, value.denom))

    def of_factor(self, base: Poly) -> Signs:
        """Return a set that holds every sign of an irreducible polynomial or a constant."""
        found = self.plain(base)
        return found if len(found) == 1 else found & self.of_square(base)[0]

    def plain(self, base: Poly) -> Signs:
        """Return what `of_factor` does, by coefficients and decisions alone."""
        if base.is_ground:
            return self.region.box_signs(self.space, base)
        found = self.region.factor_signs(self.space, base)
        if len(found) > 1:
            under = self._under(base)
            signs = ANY if under is None else self.known_quotient(under)
            if signs == {1} or (signs == {0} and self._is_root(base)):
                return found & signs
        return found

    def _is_root(self, base: Poly) -> bool:
        index = self.space.index_of(self.space.polynomial(base))
        return index >= 0 and self.space.generators[index].degree > 0

    def of_square(self, base: Poly) -> tuple[Signs, int]:
        """Return the signs of a*x**2 + b*x + c if b**2 - 4*a*c is not positive, and which x."""
        for index in self.space.occurring(base):
            high, middle, low = in_powers(self.space, base, index)
            if high is None:
                continue
            gap = self.space.reduce(middle * middle - 4 * high * low)
            signs = self.region.box_signs(self.space, gap)
            if signs <= {0, -1}:
                sign = 1 if high.LC > 0 else -1
                return frozenset((sign,)) if signs == {-1} else frozenset((0, sign)), index
        return ANY, -1

    def _under(self, base: Poly) -> Quotient | None:
        """Return what is raised in a generator that is a power, or stands under a root."""
        index = self.space.index_of(self.space.polynomial(base))
        if index in self.space.powers:
            return self.space.powers[index][0]
        if self._is_root(base):
            return self.space.polynomial(self.space.generators[index].radicand)
        return None

    def sign(self, value: Quotient) -> int:
        """Return the sign of a quotient, 0 included; may raise `NeedSplit`."""
        total = 1 if value.numer else 0
        for base, exponent, divides in self._factors(value):
            every = self.of_factor(base)
            signs = every - {0} if divides else every
            if exponent % 2 == 0:
                signs = frozenset(s * s for s in signs)
            if len(signs) > 1:
                self._split_power(base)
                raise NeedSplit(base, tuple(frozenset((s,)) for s in sorted(every)))
            total *= next(iter(signs), 1)
        return total

    def _split_power(self, base: Poly) -> None:
        """Ask for the sign of what is raised in a power in place of the power: it decides both."""
        under = self._under(base)
        if under is None or self._is_root(base) or not self.known_quotient(under) <= {0, 1}:
            return
        for factor, _ in self.factorer.factor(under.numer).powers:
            signs = self.of_factor(factor)
            if 0 in signs and len(signs) > 1:
                raise NeedSplit(factor, tuple(frozenset((s,)) for s in sorted(signs)))

    def direction(self, value: Quotient) -> int:
        """Return s in {1, -1} with `value = s*abs(value)`; may raise `NeedSplit`.

        Where the value is 0 either will do, so a region may be closed.
        """
        total = 1
        for base, exponent, _ in self._factors(value):
            signs = self.of_factor(base)
            if exponent % 2 == 0 or signs <= {0, 1}:
                continue
            if not signs <= {0, -1}:
                raise NeedSplit(base, (signs & {0, 1}, signs & {0, -1}))
            total = -total
        return total

    def vanishes(self, poly: Poly, depth: int = 4) -> bool:
        """Whether a polynomial is 0 wherever its generators have values; may raise `NeedSplit`.

        It is if a factor is. `p + q*R` is 0 where `p**2 = (q*R)**2` and p, q have opposite signs.
        """
        space = self.space
        if not poly:
            return True
        if depth == 0:
            return False
        for zero, signs in self.region.signs.items():
            if signs == {0} and not space.reduce(poly.rem([zero])):
                return True
        if self.known(poly) == {0}:
            return True
        for base, _ in self.factorer.factor(poly).powers:
            for index in reversed(space.occurring(base)):
                if space.generators[index].degree != 2:
                    continue
                high = space.coefficient(base, index)
                low = base - high * space.ring.gens[index]
                if not low:
                    continue
                squares = space.product(space.product(high, high), space.generators[index].radicand)
                if self.vanishes(space.reduce(space.product(low, low) - squares), depth - 1):
                    ends = [self.direction(space.polynomial(part)) for part in (low, high)]
                    if ends[0] != ends[1]:
                        return True
        return False

    def _factors(self, value: Quotient) -> list[_Factor]:
        """Return factors whose signs together make that of a quotient."""
        found: list[_Factor] = []
        for poly, divides in ((value.numer, False), (value.denom, True)):
            if poly:
                found += self._split(poly, 1, divides)
        return found

    def _split(self, poly: Poly, exponent: int, divides: bool) -> list[_Factor]:
        factors = self.factorer.factor(poly)
        found: list[_Factor] = []
        if factors.constant < 0:
            found.append((self.space.ring(-1), exponent, divides))
        for base, power in factors.powers:
            square = self._rationalised(base)
            if square is None:
                found.append((base, power * exponent, divides))
            elif not square:
                found.append((square, 1, divides))
            else:
                found += self._split(square, power * exponent, divides)
        return found

    def _rationalised(self, base: Poly) -> Poly | None:
        """For `a*R - b` with a, b >= 0 return `(a*R)**2 - b**2`, which has the same sign."""
        space = self.space
        for index in reversed(space.occurring(base)):
            if space.generators[index].degree != 2:
                continue
            high = space.coefficient(base, index)
            low = base - high * space.ring.gens[index]
            for sign in (1, -1):
                if self.known(sign * high) <= {0, 1} and self.known(sign * low) <= {0, -1}:
                    square = high**2 * space.generators[index].radicand - low**2
                    return space.reduce(square) * sign
        return None
