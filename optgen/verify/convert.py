"""From expressions to the normal form: fractions of polynomials, in one region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import isqrt

from sympy import factorint

from optgen.domains import NONNEGATIVE, POSITIVE, REAL, Domain
from optgen.verify.boxes import Signs
from optgen.verify.enclose import RELATIONS
from optgen.verify.factors import Factorer
from optgen.verify.field import Field, Generator, Poly, Quotient
from optgen.verify.regions import NeedSplit, Region
from optgen.verify.serialise import Tree
from optgen.verify.verdicts import Unsupported

_LARGEST_CONSTANT = 10**12  # constants under a root are factored up to here


@dataclass(frozen=True, slots=True)
class Program:
    """What the names in an expression stand for.

    Attributes:
        definitions: Names that are defined by expressions; the others are variables.
        variables: Index of each variable's generator.
        from_one: Whether exponents count from the lower end of a variable's domain.
    """

    definitions: Mapping[str, Tree]
    variables: Mapping[str, int]
    from_one: bool = False


class NegativeExponent(Unsupported):
    """A power such as beta**(step - 1), where beta may be 0."""


@dataclass(slots=True)
class Converter:
    """Converts the expressions of one program in one region, each name once.

    Attributes:
        program: What names stand for.
        field: Where the normal forms live.
        factorer: Factors polynomials of the field.
        region: The region.
    """

    program: Program
    field: Field
    factorer: Factorer
    region: Region
    _values: dict[str, Quotient] = field(default_factory=dict)
    _whole: Converter | None = None

    def convert(self, tree: Tree) -> Quotient:
        """Return the normal form of an expression.

        Raises:
            NeedSplit: It has different normal forms in parts of the region.
            Unsupported: It has none.
        """
        tag, args = tree[0], tree[1:]
        f = self.field
        f.deadline.check()
        match tag:
            case "number":
                return f.constant(args[0])
            case "name":
                return self._name(args[0])
            case "add":
                total = self.convert(args[0])
                for arg in args[1:]:
                    total = f.add(total, self.convert(arg))
                return total
            case "mul":
                total = self.convert(args[0])
                for arg in args[1:]:
                    total = f.multiply(total, self.convert(arg))
                return total
            case "power":
                return self._power(args[0], args[1])
            case "abs":
                value = self.convert(args[0])
                return value if self._direction(value) > 0 else f.subtract(f.constant(0), value)
            case "sign":
                return f.constant(self.sign(self.convert(args[0])))
            case "max" | "min":
                return self._extreme(tag, args)
            case "choice":
                return self._choice(args)
            case "norm" | "mean":
                return self._reduction(tag, args[0])
        raise Unsupported(f"no normal form of '{tag}'")

    def _name(self, name: str) -> Quotient:
        found = self._values.get(name)
        if found is None:
            definition = self.program.definitions.get(name)
            if definition is not None:
                found = self.convert(definition)
            else:
                index = self.program.variables[name]
                found = self._settle(self.field.ring.gens[index])
            self._values[name] = found
        return found

    def _settle(self, poly: Poly) -> Quotient:
        """Put what the region knows of variables in their places."""
        for index, value in self.region.values.items():
            if index in self.field.occurring(poly):
                poly = poly.compose(self.field.ring.gens[index], value)
        return self.field.polynomial(self.field.reduce(poly))

    # signs

    def known(self, poly: Poly) -> Signs:
        """Return a set that holds every sign of a polynomial in the region."""
        if not poly:
            return frozenset((0,))
        found = self.region.box_signs(self.field, poly)
        if len(found) == 1:
            return found
        factors = self.factorer.factor(poly)
        signs = frozenset((1 if factors.constant > 0 else -1,))
        for base, exponent in factors.powers:
            own = self.region.factor_signs(self.field, base)
            own = own if exponent % 2 else frozenset(s * s for s in own)
            signs = frozenset(a * b for a in signs for b in own)
        return found & signs

    def _factors(self, value: Quotient) -> list[tuple[Poly, int, bool]]:
        """Return (base, exponent, divides) of a quotient; bases of roots are rationalised."""
        found: list[tuple[Poly, int, bool]] = []
        for poly, divides in ((value.numer, False), (value.denom, True)):
            factors = self.factorer.factor(poly)
            if factors.constant < 0:
                found.append((self.field.ring(-1), 1, divides))
            for base, exponent in factors.powers:
                found += self._rationalised(base, exponent, divides)
        return found

    def _rationalised(
        self, base: Poly, exponent: int, divides: bool
    ) -> list[tuple[Poly, int, bool]]:
        """Replace a*R - b, where a, b >= 0, by (a*R)**2 - b**2, which has the same sign."""
        generators = self.field.generators
        for index in reversed(self.field.occurring(base)):
            if generators[index].degree != 2:
                continue
            x = self.field.ring.gens[index]
            high = self.field.ring.from_dict(
                {m[:index] + (0,) + m[index + 1 :]: c for m, c in base.items() if m[index]}
            )
            low = base - high * x
            for sign in (1, -1):
                if self.known(sign * high) <= {0, 1} and self.known(sign * low) <= {0, -1}:
                    square = high**2 * generators[index].radicand - low**2
                    square = self.field.reduce(square) * sign
                    if not square:
                        return [(self.field.ring.zero, exponent, divides)]
                    factors = self.factorer.factor(square)
                    first = [(self.field.ring(-1), exponent, divides)] * (factors.constant < 0)
                    return first + [
                        triple
                        for b, e in factors.powers
                        for triple in self._rationalised(b, e * exponent, divides)
                    ]
        return [(base, exponent, divides)]

    def sign(self, value: Quotient) -> int:
        """Return the sign of a quotient, 0 included; may raise `NeedSplit`."""
        if not value.numer:
            return 0
        total = 1
        for base, exponent, divides in self._factors(value):
            signs = self._own_signs(base) - ({0} if divides else set())
            if exponent % 2 == 0:
                signs = frozenset(s * s for s in signs)
            if len(signs) > 1:
                every = self._own_signs(base)
                raise NeedSplit(base, tuple(frozenset((s,)) for s in sorted(every)))
            total *= next(iter(signs), 1)
        return total

    def _direction(self, value: Quotient) -> int:
        """Return s in {1, -1} with value = s*abs(value); may raise `NeedSplit`."""
        if not value.numer:
            return 1
        total = 1
        for base, exponent, _ in self._factors(value):
            signs = self._own_signs(base)
            if exponent % 2 == 0 or signs <= {0, 1}:
                continue
            if not signs <= {0, -1}:
                parts = (signs & {0, 1}, signs & {0, -1})
                raise NeedSplit(base, tuple(frozenset(p) for p in parts))
            total = -total
        return total

    def _own_signs(self, base: Poly) -> Signs:
        if base.is_ground:
            value = base.LC if base else 0
            return frozenset(((value > 0) - (value < 0),))
        return self.region.factor_signs(self.field, base)

    # functions

    def _extreme(self, tag: str, args: tuple[Tree, ...]) -> Quotient:
        best = self.convert(args[0])
        for arg in args[1:]:
            other = self.convert(arg)
            direction = self._direction(self.field.subtract(other, best))
            if (direction > 0) == (tag == "max"):
                best = other
        return best

    def _choice(self, branches: tuple[Tree, ...]) -> Quotient:
        for value, condition in branches:
            if self._holds(condition):
                return self.convert(value)
        raise Unsupported("a choice without a value")

    def _holds(self, tree: Tree) -> bool:
        match tree:
            case ("and", *conditions):
                return all(self._holds(c) for c in conditions)
            case ("or", *conditions):
                return any(self._holds(c) for c in conditions)
            case ("not", condition):
                return not self._holds(condition)
            case ("compare", operator, left, right):
                difference = self.field.subtract(self.convert(left), self.convert(right))
                return self.sign(difference) in RELATIONS[operator]
        raise Unsupported(f"no condition '{tree[0]}'")

    def _reduction(self, tag: str, arg: Tree) -> Quotient:
        """A norm or mean is opaque, and known by its argument on the whole domain.

        The region is of one element only; the other elements may lie elsewhere.
        """
        domain = NONNEGATIVE if tag == "norm" else REAL
        try:
            value = self._on_the_whole_domain().convert(arg)
        except NeedSplit:
            expanded = _expand(arg, self.program.definitions)
            atom = self.field.generator(
                (tag, expanded), lambda: Generator(f"{tag}({_brief(expanded)})", domain)
            )
        else:
            atom = self.field.generator(
                (tag, value.numer, value.denom),
                lambda: Generator(f"{tag}({self._text(value)})", domain),
            )
        return self.field.polynomial(atom)

    def _on_the_whole_domain(self) -> Converter:
        if self._whole is None:
            self._whole = Converter(self.program, self.field, self.factorer, Region())
        return self._whole

    def _text(self, value: Quotient) -> str:
        numer = self.field.text(value.numer)
        return numer if value.denom == 1 else f"({numer})/({self.field.text(value.denom)})"

    # powers

    def _power(self, base: Tree, exponent: Tree) -> Quotient:
        power = self.convert(exponent)
        if power.numer.is_ground and power.denom.is_ground:
            p, q = (int(poly.LC) if poly else 0 for poly in (power.numer, power.denom))
            value = self.convert(base)
            return self.field.power(self._root(value, q), p)
        return self._opaque_power(self.convert(base), power)

    def _opaque_power(self, base: Quotient, power: Quotient) -> Quotient:
        """Split base**(constant + sum of terms) into powers by single terms, which are opaque."""
        f = self.field
        if base.numer == base.denom:
            return base
        if not power.denom.is_ground:
            raise Unsupported("a power whose exponent is a fraction of variables")
        signs = self.known(f.product(base.numer, base.denom))
        if not signs <= {0, 1}:
            raise Unsupported("a power whose base may be negative")
        terms, constant = self._exponents(power)
        safe = all(share > 0 and self.known(term) <= {0, 1} for term, share in terms)
        if signs != {1} and not (safe and constant >= 0):
            raise NegativeExponent("a power of a base that may be 0, with a negative exponent")
        total = f.power(self._root(base, constant.denominator), constant.numerator)
        for term, share in terms:
            root = Fraction(1, share.denominator)
            key = ("power", base.numer, base.denom, term, root)
            atom = f.generator(key, lambda t=term, r=root: self._power_atom(base, t, r))
            total = f.multiply(total, f.power(f.polynomial(atom), share.numerator))
        return total

    def _exponents(self, power: Quotient) -> tuple[list[tuple[Poly, Fraction]], Fraction]:
        """Return an exponent as terms with their shares, and a constant.

        With `program.from_one`, a variable alone stands for how far it is above the
        lower end of its domain: beta**(step - 1) has a value at beta = 0 too.
        """
        f = self.field
        terms: list[tuple[Poly, Fraction]] = []
        constant = Fraction(0)
        for monomial, coefficient in power.numer.terms():
            share = Fraction(int(coefficient), int(power.denom.LC))
            if not any(monomial):
                constant += share
                continue
            term = f.ring.from_dict({monomial: f.ring.domain.one})
            if self.program.from_one and sum(monomial) == 1:
                low = self.region.domain(f, monomial.index(1)).low
                if low is not None and low.denominator == 1:
                    term = term - low.numerator
                    constant += share * low
            terms.append((term, share))
        return terms, constant

    def _power_atom(self, base: Quotient, term: Poly, root: Fraction) -> Generator:
        """Describe base**(root*term) on the whole domain: it is used in other regions too."""
        f, whole = self.field, self._on_the_whole_domain()
        signs = whole.known(f.product(base.numer, base.denom))
        gap = whole.known(f.product(base.denom - base.numer, base.denom))
        exponent = whole.known(term)
        domain = POSITIVE if signs == {1} else NONNEGATIVE if signs <= {0, 1} else REAL
        if signs <= {0, 1} and gap <= {0, 1} and exponent <= {0, 1}:
            domain = Domain(
                Fraction(0),
                Fraction(1),
                low_open=signs == {1},
                high_open=gap == {1} and exponent == {1},
            )
        scale = "" if root == 1 else f"{root}*"
        return Generator(f"({self._text(base)})**({scale}({f.text(term)}))", domain)

    def _root(self, value: Quotient, degree: int) -> Quotient:
        """Return the root of a value; where it has none, anything will do."""
        f = self.field
        while degree % 2 == 0:
            value, degree = self._one_root(value, 2), degree // 2
        if degree == 1:
            return value
        return self._one_root(value, degree)

    def _one_root(self, value: Quotient, degree: int) -> Quotient:
        """Take out of the root what can be, and make one generator of each other factor."""
        f = self.field
        if not value.numer:
            return value
        above, below = self.factorer.factor(value.numer), self.factorer.factor(value.denom)
        constant = Fraction(above.constant, below.constant)
        powers = [*above.powers, *((b, -e) for b, e in below.powers)]
        kept: list[tuple[Poly, int]] = []
        outside = f.constant(1)
        roots: list[Poly] = []
        open_signs = []
        for base, exponent in powers:
            signs = self.region.factor_signs(f, base)
            if exponent < 0:
                signs = signs - {0}
            if degree == 2 and exponent % 2 == 0:
                magnitude = f.polynomial(base)
                if self._direction(magnitude) < 0:
                    magnitude = f.polynomial(-base)
                outside = f.multiply(outside, f.power(magnitude, exponent // 2))
            elif signs <= {1}:
                kept.append((base, exponent))
            elif signs <= {-1}:
                constant = -constant if exponent % 2 else constant
                kept.append((-base, exponent))
            else:
                open_signs.append((base, exponent))
        # A factor that may be 0 may hide that another is negative: they stay under one root,
        # unless it is the only one.
        if len(open_signs) == 1:
            base, exponent = open_signs[0]
            signs = self.region.factor_signs(f, base)
            if signs <= {0, 1} and constant > 0:
                kept.append((base, exponent))
                open_signs = []
            elif signs <= {0, -1} and exponent % 2 and constant < 0:
                kept.append((-base, exponent))
                constant, open_signs = -constant, []
        elif open_signs and all(self.region.factor_signs(f, b) <= {0, 1} for b, _ in open_signs):
            kept += open_signs
            open_signs = []
        for base, exponent in kept:
            whole, rest = divmod(exponent, degree)
            outside = f.multiply(outside, f.power(f.polynomial(base), whole))
            roots += [base] * rest
        return self._assemble(outside, roots, open_signs, constant, degree)

    def _assemble(
        self,
        outside: Quotient,
        roots: list[Poly],
        together: list[tuple[Poly, int]],
        constant: Fraction,
        degree: int,
    ) -> Quotient:
        """Multiply what stands outside the root by the roots of what stays inside."""
        f = self.field
        group = f.one
        for base, exponent in together:
            whole, rest = divmod(exponent, degree)
            if degree != 2:
                if exponent < 0:
                    raise Unsupported(f"a root of degree {degree} of a factor of unknown sign")
                rest, whole = exponent, 0
            elif whole:
                magnitude = f.polynomial(base if self._direction(f.polynomial(base)) > 0 else -base)
                outside = f.multiply(outside, f.power(magnitude, whole))
            group = f.product(group, base**rest)
        if constant < 0:
            if group == 1:
                raise Unsupported("the root of a negative number")
            group, constant = -group, -constant
        number = constant.numerator * constant.denominator ** (degree - 1)
        outside = f.multiply(outside, f.constant(Fraction(1, constant.denominator)))
        whole, primes = _take_out(number, degree)
        outside = f.multiply(outside, f.constant(whole))
        radicands = [*roots, *(f.ring(p) for p in primes)]
        if group != 1:
            radicands.append(group)
        for radicand in radicands:
            root = f.generator(
                ("root", degree, radicand), lambda r=radicand: self._root_atom(r, degree)
            )
            outside = f.multiply(outside, f.polynomial(root))
        return outside

    def _root_atom(self, radicand: Poly, degree: int) -> Generator:
        """Describe a root on the whole domain: it is used in other regions too."""
        signs = Region().box_signs(self.field, radicand)
        domain = POSITIVE if signs == {1} else NONNEGATIVE
        return Generator(f"({self.field.text(radicand)})**(1/{degree})", domain, degree, radicand)


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


def _expand(tree: Tree, definitions: Mapping[str, Tree]) -> Tree:
    """Put definitions in the place of their names."""
    if tree[0] == "name":
        inner = definitions.get(tree[1])
        return tree if inner is None else _expand(inner, definitions)
    if isinstance(tree[0], tuple):
        return tuple(_expand(part, definitions) for part in tree)
    rest = (_expand(p, definitions) if isinstance(p, tuple) else p for p in tree[1:])
    return (tree[0], *rest)


def _brief(tree: Tree) -> str:
    text = str(tree)
    return text if len(text) < 60 else text[:57] + "..."
