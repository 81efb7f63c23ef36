"""Factors of integer polynomials; most need no general algorithm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from optgen.verify.normal.field import Field, Poly, divided


@dataclass(frozen=True, slots=True)
class Factors:
    """`constant * product(base**exponent)`, every base with a positive leading coefficient."""

    constant: int
    powers: tuple[tuple[Poly, int], ...]


@dataclass(slots=True)
class Factorer:
    """Factors polynomials of one field, each once.

    Attributes:
        space: The field.
    """

    space: Field
    _known: dict[Poly, Factors] = field(default_factory=dict)

    def factor(self, poly: Poly) -> Factors:
        """Return the factors of a polynomial that is not 0, in one definite order."""
        found = self._known.get(poly)
        if found is None:
            content, primitive = poly.primitive()
            if primitive.LC < 0:
                content, primitive = -content, -primitive
            counts: dict[Poly, int] = {}
            primitive = self._divide_by_roots(primitive, counts)
            if primitive.LC < 0:
                content, primitive = -content, -primitive
            for base in self._split(primitive):
                counts[base] = counts.get(base, 0) + 1
            powers = sorted(counts.items(), key=lambda item: sorted(item[0].terms()))
            found = self._known[poly] = Factors(int(content), tuple(powers))
        return found

    def _divide_by_roots(self, poly: Poly, counts: dict[Poly, int]) -> Poly:
        """Take out roots: `p*a + R*b` is `R*(R*a + b)` where `R**2 = p`."""
        space = self.space
        for index in range(len(space.variables), len(space.generators)):
            degree, radicand = space.generators[index].degree, space.generators[index].radicand
            while degree and poly.degree(space.ring.gens[index]) > 0:
                self.space.deadline.check()
                low = space.ring.from_dict({m: c for m, c in poly.items() if not m[index]})
                if not low:
                    share = low
                else:
                    share, rest = divided(low, radicand)
                    if rest:
                        break
                root = space.ring.gens[index]
                poly = (poly - low).exquo(root) + share * root ** (degree - 1)
                counts[root] = counts.get(root, 0) + 1
        return poly

    def _split(self, poly: Poly) -> Iterator[Poly]:
        """Yield the irreducible factors of a primitive polynomial, with repetition."""
        self.space.deadline.check()
        if poly.is_ground:
            return
        if poly.LC < 0:
            poly = -poly
        degrees = poly.degrees()
        for index, generator in enumerate(self.space.ring.gens):  # factors that are variables
            lowest = min(monomial[index] for monomial in poly) if degrees[index] > 0 else 0
            if lowest:
                yield from (generator,) * lowest
                poly = poly.exquo(generator**lowest).copy()
        if poly.is_ground:
            return
        degrees = poly.degrees()
        linear = next((i for i, degree in enumerate(degrees) if degree == 1), None)
        if linear is None:
            for base, exponent in self.space.engine.factors(poly):
                yield from (base,) * exponent
            return
        # a*x + b with coprime a and b is irreducible.
        high = self.space.coefficient(poly, linear)
        low = poly - high * self.space.ring.gens[linear]
        common, _, _ = self.space.engine.cofactors(high, low)
        rest = poly.exquo(common).copy()
        yield rest if rest.LC > 0 else -rest
        yield from self._split(common)
