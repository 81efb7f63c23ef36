"""Roots of fractions of polynomials: what can be comes out, each factor left gets a generator."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

from sympy import factorint

from optgen.domains import NONNEGATIVE, POSITIVE
from optgen.verify.normal.field import Generator, Poly, Quotient, UndefinedEverywhere
from optgen.verify.normal.regions import NeedSplit, Region
from optgen.verify.normal.signs import SignReader
from optgen.verify.verdicts import Unsupported

_LARGEST_CONSTANT = 10**12  # constants under a root are factored up to here


@dataclass(frozen=True, slots=True)
class Roots:
    """Takes roots in one region.

    Attributes:
        signs: Signs in the region.
    """

    signs: SignReader

    def root(self, value: Quotient, degree: int) -> Quotient:
        """Return the root of a value; right wherever the root is real."""
        while degree % 2 == 0:
            value, degree = self._one(value, 2), degree // 2
        return value if degree == 1 else self._one(value, degree)

    def _one(self, value: Quotient, degree: int) -> Quotient:
        space, factorer = self.signs.space, self.signs.factorer
        if not value.numer:
            return value
        above, below = factorer.factor(value.numer), factorer.factor(value.denom)
        constant = Fraction(above.constant, below.constant)
        outside = space.constant(1)
        single: list[tuple[Poly, int]] = []
        weak: list[tuple[Poly, int]] = []
        together: list[tuple[Poly, int]] = []
        squares: list[tuple[Poly, int]] = []
        for base, exponent in (*above.powers, *((b, -e) for b, e in below.powers)):
            if degree == 2 and exponent % 2 == 0:
                squares.append((base, exponent))
                outside = space.multiply(outside, self._magnitude(base, exponent // 2))
                continue
            signs = self.signs.of_factor(base) - ({0} if exponent < 0 else frozenset())
            if signs <= {0, -1}:
                base = -base
                constant = -constant if exponent % 2 else constant
                signs = frozenset(-s for s in signs)
            group = single if signs <= {1} else weak if signs <= {0, 1} else together
            group.append((base, exponent))
        if together or constant < 0:
            # Where a factor is 0 the root is 0, whatever the sign of the others: roots of their
            # own would not exist there.
            together = weak + together
        else:
            single += weak
        radicands: list[Poly] = []
        for base, exponent in single:
            whole, rest = divmod(exponent, degree)
            outside = space.multiply(outside, space.power(space.polynomial(base), whole))
            radicands += [base] * rest
        factor, group_radicand = self._group(together, degree)
        outside = space.multiply(outside, factor)
        if constant < 0:
            if group_radicand == 1:
                for base, exponent in squares:
                    signs = self.signs.of_factor(base)
                    if exponent > 0 and 0 in signs:  # there the root is 0
                        raise NeedSplit(base, tuple(frozenset((s,)) for s in sorted(signs)))
                raise UndefinedEverywhere("the root of a negative number")
            constant, group_radicand = -constant, -group_radicand
        whole_number, primes = _take_out(
            constant.numerator * constant.denominator ** (degree - 1), degree
        )
        outside = space.multiply(
            outside, space.constant(Fraction(whole_number, constant.denominator))
        )
        radicands += [space.ring(p) for p in primes]
        if group_radicand != 1:
            radicands.append(group_radicand)
        for radicand in radicands:
            outside = space.multiply(outside, self._atom(radicand, degree))
        return outside

    def _magnitude(self, base: Poly, exponent: int) -> Quotient:
        """Return abs(base)**exponent."""
        space = self.signs.space
        value = space.polynomial(base)
        if exponent % 2 and self.signs.direction(value) < 0:
            value = space.polynomial(-base)
        return space.power(value, exponent)

    def _group(self, together: list[tuple[Poly, int]], degree: int) -> tuple[Quotient, Poly]:
        """Return what comes out of the root of factors of unknown sign, and what stays."""
        space = self.signs.space
        outside, inside = space.constant(1), space.one
        for base, exponent in together:
            whole, rest = divmod(exponent, degree) if degree == 2 else (0, exponent)
            if rest < 0:
                raise Unsupported(f"a root of degree {degree} of a quotient of unknown sign")
            if whole:
                outside = space.multiply(outside, self._magnitude(base, whole))
            inside = space.product(inside, base**rest)
        return outside, inside

    def _atom(self, radicand: Poly, degree: int) -> Quotient:
        space = self.signs.space
        flat = self._denested(radicand) if degree == 2 else None
        if flat is not None:
            return flat

        def describe() -> Generator:
            # On the whole domain: the generator is used in other regions too.
            positive = Region().box_signs(space, radicand) == {1}
            label = f"({space.text(radicand)})**(1/{degree})"
            return Generator(label, POSITIVE if positive else NONNEGATIVE, degree, radicand)

        return space.polynomial(space.generator(("root", degree, radicand), describe))

    def _denested(self, radicand: Poly) -> Quotient | None:
        """Write sqrt(a + b*R) as sqrt(p) +- sqrt(q) with p + q = a, if a**2 - (b*R)**2 is a square.

        What is returned has the radicand as its square, and is not negative.
        """
        space = self.signs.space
        index = self._last_root(radicand)
        if index is None:
            return None
        high = space.coefficient(radicand, index)
        low = radicand - high * space.ring.gens[index]
        square = space.product(high, high)
        norm = space.product(low, low) - space.product(square, space.generators[index].radicand)
        middle = self._square_root(space.reduce(norm))
        if middle is None:
            return None
        halves = [
            space.multiply(space.add(space.polynomial(low), part), space.constant(Fraction(1, 2)))
            for part in (middle, space.negate(middle))
        ]
        if not all(self.signs.known_quotient(half) <= {0, 1} for half in halves):
            return None
        first, second = (self.root(half, 2) for half in halves)
        for other in (second, space.negate(second)):
            total = space.add(first, other)
            if space.same(space.multiply(total, total), space.polynomial(radicand)):
                return total if self.signs.direction(total) > 0 else space.negate(total)
        return None

    def _last_root(self, poly: Poly) -> int | None:
        space = self.signs.space
        roots = (i for i in reversed(space.occurring(poly)) if space.generators[i].degree == 2)
        return next(roots, None)

    def _square_root(self, poly: Poly) -> Quotient | None:
        """Return a value of either sign whose square is a polynomial, over known generators."""
        space = self.signs.space
        index = self._last_root(poly)
        if index is None:
            return self._rational_square_root(poly)
        high = space.coefficient(poly, index)
        low = poly - high * space.ring.gens[index]
        square = space.product(high, high)
        norm = space.product(low, low) - space.product(square, space.generators[index].radicand)
        middle = self._square_root(space.reduce(norm))
        if middle is None or middle.denom != 1:
            return None
        for numer in (low + middle.numer, low - middle.numer):
            first = self._square_root(space.reduce(2 * numer))  # of 4*first**2
            if first is None or not first.numer:
                continue
            half = space.multiply(first, space.constant(Fraction(1, 2)))
            rest = space.multiply(
                space.polynomial(high * space.ring.gens[index]), space.invert(first)
            )
            total = space.add(half, rest)
            if space.same(space.multiply(total, total), space.polynomial(poly)):
                return total
        return None

    def _rational_square_root(self, poly: Poly) -> Quotient | None:
        space = self.signs.space
        if not poly:
            return space.polynomial(poly)
        factors = self.signs.factorer.factor(poly)
        if factors.constant < 0 or factors.constant > _LARGEST_CONSTANT:
            return None
        whole, primes = _take_out(factors.constant, 2)
        total = space.ring(whole)
        odd = [space.ring(prime) for prime in primes]
        for base, exponent in factors.powers:
            total = space.product(total, space.raised(base, exponent // 2))
            odd += [base] * (exponent % 2)
        for base in odd:
            known = space.existing(("root", 2, base))
            if known is None:
                return None
            total = space.product(total, known)
        return space.polynomial(space.reduce(total))


def _take_out(number: int, degree: int) -> tuple[int, list[int]]:
    """Write a positive integer as whole**degree times primes, some of them repeated."""
    if degree == 2 and isqrt(number) ** 2 == number:
        return isqrt(number), []
    if number > _LARGEST_CONSTANT:
        raise Unsupported("a root of a large constant")
    whole, primes = 1, []
    for prime, exponent in sorted(factorint(number).items()):
        whole *= int(prime) ** (exponent // degree)
        primes += [int(prime)] * (exponent % degree)
    return whole, primes
