"""Parts of the domain in which chosen polynomials have known signs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import MappingProxyType

from optgen.domains import Domain
from optgen.verify.normal.boxes import ANY, Signs, signs_on_box
from optgen.verify.normal.field import Field, Poly

_WORDS = {
    frozenset((1,)): "> 0",
    frozenset((-1,)): "< 0",
    frozenset((0,)): "= 0",
    frozenset((0, 1)): ">= 0",
    frozenset((-1, 0)): "<= 0",
    frozenset((-1, 1)): "!= 0",
}


class NeedSplit(Exception):
    """The sign of a factor must be known to go on.

    Attributes:
        factor: An irreducible polynomial.
        parts: Sets of signs that together hold every sign it may have.
    """

    def __init__(self, factor: Poly, parts: tuple[Signs, ...]) -> None:
        super().__init__()
        self.factor = factor
        self.parts = parts


@dataclass(frozen=True, slots=True)
class Region:
    """Where some irreducible polynomials have some signs.

    Attributes:
        signs: What is decided, by polynomial (leading coefficient positive).
        values: Variables that are fixed: index to polynomial.
        domains: Domains that the decisions have narrowed, by index.
    """

    signs: Mapping[Poly, Signs] = field(default_factory=lambda: MappingProxyType({}))
    values: Mapping[int, Poly] = field(default_factory=lambda: MappingProxyType({}))
    domains: Mapping[int, Domain] = field(default_factory=lambda: MappingProxyType({}))

    def conditions(self, of: Field) -> tuple[str, ...]:
        """Return what holds in the region, as text."""
        return tuple(f"{of.words(poly)} {_WORDS[signs]}" for poly, signs in self.signs.items())

    @property
    def is_face(self) -> bool:
        """Whether some polynomial is 0 in the region: it has no inside."""
        return any(signs == {0} for signs in self.signs.values())

    def domain(self, of: Field, index: int) -> Domain:
        """Return the domain of a generator, in the region."""
        return self.domains.get(index, of.generators[index].domain)

    def box_signs(self, of: Field, poly: Poly) -> Signs:
        """Return a set that holds every sign of a polynomial in the region, by coefficients."""
        domains = {i: self.domain(of, i) for i in of.occurring(poly)}
        key = poly, tuple(domains.items())
        found = of.on_boxes.get(key)
        if found is None:
            of.deadline.check()
            found = of.on_boxes[key] = signs_on_box(poly, domains)
        return found

    def factor_signs(self, of: Field, factor: Poly) -> Signs:
        """Return a set that holds every sign of an irreducible polynomial in the region."""
        found = self.box_signs(of, factor) & self.signs.get(factor, ANY)
        if len(found) > 1:
            found = self._implied(of, factor, found)
        return found

    def _implied(self, of: Field, factor: Poly, found: Signs) -> Signs:
        """Narrow the signs of `factor` by `factor = a*known + rest`, with a > 0.

        `known` is a decided polynomial or its negative, `rest` the same or of known sign.
        """
        known = [
            (poly * sign, sign * decided_sign)
            for poly, signs in self.signs.items()
            for decided_sign in (1, -1)
            if signs <= {0, decided_sign}
            for sign in (1, -1)
        ]
        for poly, direction in known:
            rest = factor - poly
            signs = self.signs.get(rest, ANY) & self.box_signs(of, rest)
            if -rest in self.signs:
                signs &= frozenset(-s for s in self.signs[-rest])
            if signs <= {0, direction}:
                found &= frozenset((0, direction))
        return found

    def refine(self, of: Field, factor: Poly, part: Signs) -> Region | None:
        """Return the part of the region in which `factor` has one of the signs, None if empty."""
        refined = replace(self, signs=MappingProxyType({**self.signs, factor: part}))
        used = of.occurring(factor)
        if part == {0}:
            return refined._substitute(of, factor, used)
        if len(used) == 1 and factor.degree(of.ring.gens[used[0]]) == 1:
            return refined._narrow(of, factor, used[0], part)
        return refined

    def _substitute(self, of: Field, factor: Poly, used: tuple[int, ...]) -> Region | None:
        """Where `factor` is +-x + rest, x is -+rest: put that in the place of x."""
        ring = of.ring
        variables = len(of.variables)
        if any(i >= variables for i in used):
            return self
        if len(used) == 1 and factor.degree(ring.gens[used[0]]) == 1:
            (index,) = used
            value, domain = self._root(of, factor, index), self.domain(of, index)
            if value not in domain:
                return None
            point = replace(domain, low=value, low_open=False, high=value, high_open=False)
            self = self._with(index, point)
        for index in used:
            x = ring.gens[index]
            coefficient = factor.coeff(x)
            if factor.degree(x) == 1 and abs(coefficient) == 1:
                rest = x - factor if coefficient == 1 else x + factor
                if index in of.occurring(rest):
                    continue  # x stands in another term too
                if of.generators[index].domain.integer and not rest.is_ground:
                    continue  # exponents would be polynomials of anything
                return replace(self, values=MappingProxyType({**self.values, index: rest}))
        return self

    @staticmethod
    def _root(of: Field, factor: Poly, index: int) -> Fraction:
        x = of.ring.gens[index]
        return Fraction(-int(factor.coeff(1)), int(factor.coeff(x)))

    def _narrow(self, of: Field, factor: Poly, index: int, part: Signs) -> Region | None:
        """Narrow the domain of x by a decision on `a*x + b`, where a > 0."""
        domain, bound = self.domain(of, index), self._root(of, factor, index)
        if part <= {0, 1}:
            is_open = 0 not in part
            if domain.low is None or bound > domain.low or (bound == domain.low and is_open):
                if domain.integer:
                    bound, is_open = Fraction(_next_integer(bound, is_open)), False
                return self._with_low(index, domain, bound, is_open)
        elif part <= {0, -1}:
            is_open = 0 not in part
            if domain.high is None or bound < domain.high or (bound == domain.high and is_open):
                return self._with_high(index, domain, bound, is_open)
        elif domain.low == bound:  # not 0, and at the end of the domain
            return self._narrow(of, factor, index, frozenset((1,)))
        return self

    def _with_low(self, index: int, old: Domain, low: Fraction, is_open: bool) -> Region | None:
        if old.high is not None and (
            low > old.high or (low == old.high and (is_open or old.high_open))
        ):
            return None
        return self._with(index, replace(old, low=low, low_open=is_open))

    def _with_high(self, index: int, old: Domain, high: Fraction, is_open: bool) -> Region | None:
        if old.low is not None and (
            high < old.low or (high == old.low and (is_open or old.low_open))
        ):
            return None
        return self._with(index, replace(old, high=high, high_open=is_open))

    def _with(self, index: int, new: Domain) -> Region:
        return replace(self, domains=MappingProxyType({**self.domains, index: new}))


def _next_integer(bound: Fraction, is_open: bool) -> int:
    below = bound.__ceil__()
    return below + 1 if is_open and below == bound else below
