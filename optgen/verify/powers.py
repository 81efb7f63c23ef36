"""Powers with variables in the exponent, such as `beta**step`: products of opaque generators."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from optgen.domains import NONNEGATIVE, POSITIVE, REAL, Domain
from optgen.verify.field import Generator, Poly, Quotient
from optgen.verify.regions import Region
from optgen.verify.roots import Roots
from optgen.verify.signs import SignReader
from optgen.verify.verdicts import Unsupported


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
        signs = self.signs.known_quotient(base)
        if not signs <= {0, 1}:
            raise Unsupported("a power whose base may be negative")
        terms, constant = self._exponents(exponent)
        safe = all(share > 0 and self.signs.known(term) <= {0, 1} for term, share in terms)
        if signs != {1} and not (safe and constant >= 0):
            raise NegativeExponent("a power of a base that may be 0, with a negative exponent")
        factors, _, total = self.law(base, exponent)
        for index, times in factors:
            atom = space.polynomial(space.ring.gens[index])
            total = space.multiply(total, space.power(atom, times))
        return total

    def law(
        self, base: Quotient, exponent: Quotient
    ) -> tuple[list[tuple[int, int]], Fraction, Quotient]:
        """Return the factors of base**exponent, for an exponent that is no constant.

        Returns:
            Generators with their exponents, the constant in the exponent, and the base
            raised to it.
        """
        space = self.signs.space
        terms, constant = self._exponents(exponent)
        rest = space.power(self.roots.root(base, constant.denominator), constant.numerator)
        factors = []
        for term, share in terms:
            atom = self._atom(base, term, Fraction(1, share.denominator))
            factors.append((space.occurring(atom.numer)[0], share.numerator))
        return factors, constant, rest

    def _exponents(self, exponent: Quotient) -> tuple[list[tuple[Poly, Fraction]], Fraction]:
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

    def _atom(self, base: Quotient, term: Poly, root: Fraction) -> Quotient:
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
            scale = "" if root == 1 else f"{root}*"
            text = f"({space.quotient_text(base)})**({scale}({space.text(term)}))"
            return Generator(text, domain)

        key = ("power", base.numer, base.denom, term, root)
        return space.polynomial(space.generator(key, describe))
