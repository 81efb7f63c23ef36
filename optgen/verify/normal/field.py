"""Fractions of integer polynomials in variables, roots and opaque values.

A root is a generator `R` with the rule `R**q = radicand`; powers such as
`beta**step`, norms and means are generators that only their domain is known of.
Every operation holds at every point at which its operands have a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from sympy import ZZ
from sympy.polys.orderings import lex
from sympy.polys.rings import PolyRing

from optgen.domains import Domain
from optgen.symbols import symbol
from optgen.verify.deadline import Deadline
from optgen.verify.normal.engine import Engine, choose
from optgen.verify.serialise import Shapes, Tree
from optgen.verify.verdicts import Unsupported

Poly = Any
"""A `sympy.polys.rings.PolyElement` over the integers; sympy ships no types."""

_LARGEST_POLY = 200_000  # products of terms; larger ones are given up before memory is
_LARGEST_POWER = 1000  # of a single term
_LONGEST_COEFFICIENT = 1 << 20  # bits


class UndefinedEverywhere(Unsupported):
    """A division by something that is 0 at every point."""


class MoreGenerators(Exception):
    """The ring has no free generator left: begin again with a larger one."""


@dataclass(frozen=True, slots=True)
class Quotient:
    """`numer / denom`: coprime, the leading coefficient of `denom` positive."""

    numer: Poly
    denom: Poly


@dataclass(frozen=True, slots=True)
class Reduced:
    """The argument of a norm or a mean.

    Attributes:
        shape: The number of the argument as it is written.
        key: The number of the first one that is the same.
        arg: The argument.
        value: Its normal form on the whole domain; None if it has branches.
    """

    shape: int
    key: int
    arg: Tree
    value: Quotient | None


@dataclass(frozen=True, slots=True)
class Generator:
    """What a generator of the ring stands for.

    Attributes:
        label: For people, for example `sqrt(v)`.
        domain: Where its value lies, whatever the other values are.
        degree: q of the rule `R**q = radicand`; 0 if there is no such rule.
        radicand: The polynomial under the root; its variables come before the root.
    """

    label: str
    domain: Domain
    degree: int = 0
    radicand: Poly = None


@dataclass(slots=True)
class Field:
    """The ring, what its generators stand for, and arithmetic of quotients.

    Attributes:
        variables: Names of the variables, in the order of the first generators.
        domains: Their domains.
        spare: How many further generators there may be.
        deadline: When to give up.
        engine: Finds common divisors and factors.
        ring: The polynomial ring.
        generators: What each generator in use stands for.
        reduced: The arguments of the norms and means met.
        shapes: Numbers for what has no normal form.
        on_boxes: The signs of polynomials on boxes that were asked for.
        powers: Base and exponent of the generators that are powers, by index.
    """

    variables: Sequence[str]
    domains: Sequence[Domain]
    spare: int
    deadline: Deadline
    engine: Engine = field(default_factory=choose)
    ring: Any = field(init=False)
    generators: list[Generator] = field(init=False)
    reduced: dict[str, list[Reduced]] = field(init=False)
    shapes: Shapes = field(init=False, default_factory=Shapes)
    powers: dict[int, tuple[Quotient, Poly]] = field(init=False, default_factory=dict)
    on_boxes: dict[Hashable, frozenset[int]] = field(init=False, default_factory=dict)
    _keys: dict[Hashable, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        prefix = "_"
        while any(name.startswith(prefix) for name in self.variables):
            prefix += "_"
        spare = [f"{prefix}{i}" for i in range(self.spare)]
        self.ring = PolyRing([symbol(name) for name in (*self.variables, *spare)], ZZ, lex)
        self.reduced = {"norm": [], "mean": []}
        self.generators = [
            Generator(name, domain)
            for name, domain in zip(self.variables, self.domains, strict=True)
        ]

    @property
    def keys(self) -> Mapping[Hashable, int]:
        """The index of each generator that is no variable, by what it was asked for with."""
        return self._keys

    @property
    def one(self) -> Poly:
        """The polynomial 1."""
        return self.ring.one

    def generator(self, key: Hashable, make: Callable[[], Generator]) -> Poly:
        """Return the generator of a key; the first call of a key makes it.

        Raises:
            MoreGenerators: All spare ones are in use.
        """
        index = self._keys.get(key)
        if index is None:
            index = len(self.generators)
            if index >= self.ring.ngens:
                raise MoreGenerators
            self._keys[key] = index
            self.generators.append(make())
        return self.ring.gens[index]

    def existing(self, key: Hashable) -> Poly | None:
        """Return the generator of a key if it has been made."""
        index = self._keys.get(key)
        return None if index is None else self.ring.gens[index]

    def index_of(self, value: Quotient) -> int:
        """Return the index of the generator that a value is, -1 if it is none."""
        if value.denom == 1 and len(value.numer) == 1 and value.numer.LC == 1:
            monomial = value.numer.LM
            if sum(monomial) == 1:
                return int(monomial.index(1))
        return -1

    def constant(self, value: Fraction | int) -> Quotient:
        """Return a rational number."""
        value = Fraction(value)
        return Quotient(self.ring(value.numerator), self.ring(value.denominator))

    def same(self, a: Quotient, b: Quotient) -> bool:
        """Whether two quotients are one, roots in denominators included."""
        return a == b or not self.subtract(a, b).numer

    def polynomial(self, poly: Poly) -> Quotient:
        """Return a polynomial as a quotient."""
        return Quotient(poly, self.ring.one)

    def reduce(self, poly: Poly) -> Poly:
        """Apply the rule of every root until no power of a root reaches its degree."""
        for index in reversed(range(len(self.variables), len(self.generators))):
            degree = self.generators[index].degree
            if degree and any(monomial[index] >= degree for monomial in poly):
                poly = self._lower(poly, index, degree)
        return poly

    def _lower(self, poly: Poly, index: int, degree: int) -> Poly:
        groups: dict[int, dict[tuple[int, ...], int]] = {}
        for monomial, coefficient in poly.items():
            power, rest = divmod(monomial[index], degree)
            lowered = (*monomial[:index], rest, *monomial[index + 1 :])
            groups.setdefault(power, {})[lowered] = coefficient
        radicand = self.generators[index].radicand
        total = self.ring.zero
        for power in sorted(groups):
            total += self.product(self.ring.from_dict(groups[power]), self.raised(radicand, power))
        return total

    def product(self, a: Poly, b: Poly) -> Poly:
        """Return a * b, unless the deadline has passed or it would be huge."""
        self.deadline.check()
        if len(a) * len(b) > _LARGEST_POLY:
            raise Unsupported(f"a polynomial with up to {len(a) * len(b)} terms")
        if a and b and _length(a) + _length(b) > _LONGEST_COEFFICIENT:
            raise Unsupported("a polynomial with huge coefficients")
        return a * b

    def raised(self, poly: Poly, exponent: int) -> Poly:
        """Return poly ** exponent for an exponent that is not negative, as `product` does."""
        result = self.ring.one
        for _ in range(exponent):
            result = self.product(result, poly)
        return result

    def cancel(self, numer: Poly, denom: Poly) -> Quotient:
        """Return numer / denom in lowest terms.

        Raises:
            UndefinedEverywhere: The denominator is 0.
        """
        numer, denom = self.reduce(numer), self.reduce(denom)
        if not denom:
            raise UndefinedEverywhere("a division by 0 at every point")
        if not numer:
            return Quotient(numer, self.ring.one)
        if denom != 1:
            self.deadline.check()
            _, numer, denom = self.engine.cofactors(numer, denom)
        if denom.LC < 0:
            numer, denom = -numer, -denom
        return Quotient(numer, denom)

    def add(self, a: Quotient, b: Quotient) -> Quotient:
        """Return a + b."""
        if a.denom == b.denom:
            return self.cancel(a.numer + b.numer, a.denom)
        self.deadline.check()
        _, left, right = self.engine.cofactors(a.denom, b.denom)
        numer = self.product(a.numer, right) + self.product(b.numer, left)
        return self.cancel(numer, self.product(a.denom, right))

    def subtract(self, a: Quotient, b: Quotient) -> Quotient:
        """Return a - b."""
        return self.add(a, self.negate(b))

    def negate(self, a: Quotient) -> Quotient:
        """Return -a."""
        return Quotient(-a.numer, a.denom)

    def multiply(self, a: Quotient, b: Quotient) -> Quotient:
        """Return a * b."""
        return self.cancel(self.product(a.numer, b.numer), self.product(a.denom, b.denom))

    def invert(self, a: Quotient) -> Quotient:
        """Return 1 / a; raises `UndefinedEverywhere` if a is 0."""
        return self.cancel(a.denom, a.numer)

    def power(self, a: Quotient, exponent: int) -> Quotient:
        """Return a ** exponent for an integer exponent."""
        simple = len(a.numer) <= 1 and len(a.denom) == 1
        if abs(exponent) > (_LARGEST_POWER if simple else 64):
            raise Unsupported(f"the power {exponent}")
        if exponent < 0:
            a, exponent = self.invert(a), -exponent
        if simple and exponent > 8:
            return self.cancel(self._power(a.numer, exponent), self._power(a.denom, exponent))
        result = self.constant(1)
        for _ in range(exponent):
            result = self.multiply(result, a)
        return result

    def _power(self, term: Poly, exponent: int) -> Poly:
        if term and _length(term) * exponent > _LONGEST_COEFFICIENT:
            raise Unsupported("a polynomial with huge coefficients")
        return term**exponent

    def occurring(self, poly: Poly) -> tuple[int, ...]:
        """Return the indices of the generators that occur in a polynomial, in order."""
        return tuple(i for i, degree in enumerate(poly.degrees()) if degree > 0)

    def coefficient(self, poly: Poly, index: int) -> Poly:
        """Return what stands with a generator in a polynomial in which its degree is at most 1."""
        return self.ring.from_dict(
            {(*m[:index], 0, *m[index + 1 :]): c for m, c in poly.items() if m[index]}
        )

    def text(self, poly: Poly) -> str:
        """Return a polynomial as text."""
        return str(poly.as_expr())

    def words(self, poly: Poly) -> str:
        """Return a polynomial as text in which generators are spelt out."""
        first = len(self.variables)
        known = {
            str(symbol): generator.label
            for symbol, generator in zip(
                self.ring.symbols[first:], self.generators[first:], strict=False
            )
        }
        text, before = self.text(poly), ""
        while text != before and len(text) < 400:  # a label speaks of earlier generators only
            before = text
            text = re.sub(r"_+\d+", lambda match: known.get(match.group(), match.group()), text)
        return text

    def quotient_text(self, value: Quotient) -> str:
        """Return a quotient as text."""
        numer = self.text(value.numer)
        return numer if value.denom == 1 else f"({numer})/({self.text(value.denom)})"


def divided(poly: Poly, by: Poly) -> tuple[Poly, Poly]:
    """Return quotient and remainder; `by` is not 0.

    Copies, because sympy's division changes its results after it has kept their hash: the
    originals would not be found in any set or dictionary.
    """
    (quotient,), rest = poly.div([by])
    return quotient.copy(), rest.copy()


def _length(poly: Poly) -> int:
    """Return the bits of the longest coefficient."""
    return max(int(c).bit_length() for c in poly.values())
