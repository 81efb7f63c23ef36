"""Powers with variables in the exponent, such as `beta**step`: products of opaque generators."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from typing import Any

from sympy import perfect_power

from optgen.domains import NONNEGATIVE, POSITIVE, REAL, Domain
from optgen.verify.normal.field import Generator, Poly, Quotient
from optgen.verify.normal.regions import Region
from optgen.verify.normal.roots import Roots
from optgen.verify.normal.signs import SignReader
from optgen.verify.verdicts import Unsupported

_LARGEST_CONSTANT = 10**12  # constants are looked at as powers of smaller ones up to here


class NegativeExponent(Unsupported):
    """A power such as beta**(step - 1), where beta may be 0."""


@dataclass(frozen=True, slots=True)
class Powers:
    """Raises to powers in one region.

    Attributes:
        signs: Signs in the region.
        roots: Roots in the region.
        from_one: Whether a variable in an exponent counts from the lower end of its domain.
    """

    signs: SignReader
    roots: Roots
    from_one: bool

    def power(self, base: Quotient, exponent: Quotient) -> Quotient:
        """Return base**exponent.

        Raises:
            NegativeExponent: The base may be 0 and the exponent negative.
            Unsupported: The base may be negative, or the exponent divides by a variable.
        """
        space = self.signs.space
        if not exponent.denom.is_ground:
            raise Unsupported("a power whose exponent is a fraction of variables")
        if exponent.numer.is_ground:
            p = int(exponent.numer.LC) if exponent.numer else 0
            return space.power(self.roots.root(base, int(exponent.denom.LC)), p)
        if base.numer == base.denom:
            return base
        if not base.numer and self.signs.known_quotient(exponent) == {1}:
            return base
        terms, constant = self.exponents(exponent)
        signs = self.signs.known_quotient(base)
        if not (signs <= {0, 1} or self._whole(terms, constant)):
            raise Unsupported("a power whose base may be negative")
        safe = all(share > 0 and self.signs.known(term) <= {0, 1} for term, share in terms)
        if 0 in signs and not (safe and constant >= 0):
            raise NegativeExponent("a power of a base that may be 0, with a negative exponent")
        total = space.power(self.roots.root(base, constant.denominator), constant.numerator)
        for part, count in self.bases(base):
            for term, share in terms:
                total = space.multiply(total, self._raised(part, term, share * count))
        return total

    def _whole(self, terms: list[tuple[Poly, Fraction]], constant: Fraction) -> bool:
        """Whether an exponent is an integer at every point."""
        space = self.signs.space
        integers = all(
            share.denominator == 1
            and all(space.generators[i].domain.integer for i in space.occurring(term))
            for term, share in terms
        )
        return integers and constant.denominator == 1

    def bases(self, base: Quotient) -> list[tuple[Quotient, int]]:
        """Write a base as a product of powers of bases, each irreducible if that loses nothing.

        A fraction that is at most 1 stays whole: so do its powers.
        """
        space, factorer = self.signs.space, self.signs.factorer
        if base.denom != 1:
            gap = self.signs.known(space.product(base.denom - base.numer, base.denom))
            if not base.denom.is_ground and gap <= {0, 1}:
                return [(base, 1)]
        above, below = factorer.factor(base.numer), factorer.factor(base.denom)
        factors = [(b, e) for b, e in above.powers] + [(b, -e) for b, e in below.powers]
        found: list[tuple[Quotient, int]] = []
        constant = Fraction(above.constant, below.constant)
        for poly, exponent in factors:
            signs = self.signs.of_factor(poly)
            if signs <= {0, -1}:
                poly, constant = -poly, -constant if exponent % 2 else constant
            elif not signs <= {0, 1} and self.signs.known_quotient(base) <= {0, 1}:
                return [(base, 1)]  # the parts might be negative where the whole is not
            found.append((space.polynomial(poly), exponent))
        if constant != 1:
            # One of c and 1/c, that below 1: sympy writes (24/25)**t as (25/24)**-t at times.
            turned = constant > 1
            root, count = _smallest_base(1 / constant if turned else constant)
            found.append((space.constant(root), -count if turned else count))
        return found

    def _raised(self, base: Quotient, term: Poly, share: Fraction) -> Quotient:
        """Return base**(term*share); no product comes out of the base."""
        space = self.signs.space
        known = space.powers.get(space.index_of(base))
        if known is not None and self.signs.known_quotient(known[0]) <= {0, 1}:
            inner, first = known
            return self._raised(inner, space.product(first, term), share)
        root = self.roots.root(self._atom(base, term), share.denominator)
        return space.power(root, share.numerator)

    def exponents(self, exponent: Quotient) -> tuple[list[tuple[Poly, Fraction]], Fraction]:
        """Return an exponent as terms with their shares, and a constant.

        With `from_one` the term of a variable alone is its distance from the lower end
        of its domain: beta**(step - 1) has a value at beta = 0 too.
        """
        space = self.signs.space
        terms: list[tuple[Poly, Fraction]] = []
        constant = Fraction(0)
        for monomial, coefficient in exponent.numer.terms():
            share = Fraction(int(coefficient), int(exponent.denom.LC))
            if not any(monomial):
                constant += share
                continue
            term = space.ring.from_dict({monomial: space.ring.domain.one})
            if self.from_one and sum(monomial) == 1:
                low = Region().domain(space, monomial.index(1)).low
                if low is not None and low.denominator == 1:
                    term = term - low.numerator
                    constant += share * low
            terms.append((term, share))
        return terms, constant

    def _atom(self, base: Quotient, term: Poly) -> Quotient:
        space = self.signs.space

        def describe() -> Generator:
            # On the whole domain: the generator is used in other regions too.
            whole = SignReader(space, self.signs.factorer, Region())
            signs = whole.known_quotient(base)
            gap = whole.known(space.product(base.denom - base.numer, base.denom))
            exponent = whole.known(term)
            domain = POSITIVE if signs == {1} else NONNEGATIVE if signs <= {0, 1} else REAL
            if signs <= {0, 1} and gap <= {0, 1} and exponent <= {0, 1}:
                below = gap == {1} and exponent == {1}
                domain = Domain(Fraction(0), Fraction(1), low_open=signs == {1}, high_open=below)
            text = f"({space.quotient_text(base)})**({space.text(term)})"
            return Generator(text, domain)

        atom = space.generator(("power", base.numer, base.denom, term, Fraction(1)), describe)
        space.powers[space.index_of(space.polynomial(atom))] = (base, term)
        return space.polynomial(atom)


def _smallest_base(value: Fraction) -> tuple[Fraction, int]:
    """Write a positive rational number as a power of the smallest base."""
    if value <= 0:
        return value, 1
    counts = []
    for number in (value.numerator, value.denominator):
        if number == 1:
            counts.append(0)
            continue
        found: Any = perfect_power(number) if number < _LARGEST_CONSTANT else False
        counts.append(int(found[1]) if found else 1)
    count = gcd(*counts)
    if count < 2:
        return value, 1
    parts = [
        round(number ** (1 / count)) if number > 1 else 1
        for number in (value.numerator, value.denominator)
    ]
    root = Fraction(parts[0], parts[1])
    return (root, count) if root**count == value else (value, 1)
