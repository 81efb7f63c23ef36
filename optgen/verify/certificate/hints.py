"""How the sign of a polynomial is read in a region, written down for the checker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from optgen.verify.normal.boxes import Signs
from optgen.verify.normal.field import Poly
from optgen.verify.normal.signs import SignReader, in_powers

Hint = Any
"""None where the checker finds the sign alone, else a list as in `optgen.checker`."""


@dataclass(frozen=True, slots=True)
class SignHints:
    """Writes hints in one region.

    Attributes:
        reader: Reads signs there.
        number: Gives a polynomial its number in the certificate.
        settle: Puts in place what is fixed in the region, and reduces.
    """

    reader: SignReader
    number: Callable[[Poly], int]
    settle: Callable[[Poly], Poly]

    def of(self, poly: Poly, always: bool = False) -> tuple[Signs, Hint]:
        """Return signs that a polynomial may have, and how that is seen.

        Args:
            poly: The polynomial.
            always: Whether to name its factors even if that tells nothing here; the checker
                knows more where a root has a value.
        """
        poly = self.settle(poly)
        if not poly:
            return frozenset((0,)), None
        found = self._plain(poly)
        if len(found) == 1:
            return found, None
        factors = self.reader.factorer.factor(poly)
        if len(factors.powers) == 1 and factors.powers[0][1] == 1 and factors.constant in (1, -1):
            signs, hint = self._factor(poly)
        else:
            signs, parts = frozenset((1 if factors.constant > 0 else -1,)), []
            for base, exponent in factors.powers:
                own, below = self._factor(base)
                own = own if exponent % 2 else frozenset(s * s for s in own)
                signs = frozenset(s * t for s in signs for t in own)
                parts.append([self.number(base), exponent, below])
            hint = ["product", factors.constant, parts]
        useful = hint is not None and (always or found & signs != found)
        return (found & signs, hint) if useful else (found, None)

    def sum(self, summands: Sequence[tuple[int, tuple[Poly, ...]]]) -> Hint:
        """Return how the sign of a sum is seen, each summand a number times polynomials."""
        found: list[Any] = []
        for count, bases in summands:
            total, parts = self.reader.space.ring(count), []
            for base in bases:
                total = self.settle(total * base)
                parts.append([self.number(base), 1, self.of(base)[1]])
            found.append([self.number(total), ["product", count, parts] if bases else None])
        return ["sum", found]

    def _plain(self, poly: Poly) -> Signs:
        _, primitive = poly.primitive()
        flip = 1 if primitive.LC > 0 else -1
        found = self.reader.plain(flip * primitive)
        return frozenset(s * flip for s in found)

    def _factor(self, base: Poly) -> tuple[Signs, Hint]:
        found = self._plain(base)
        if len(found) == 1:
            return found, None
        signs, hint = self._square(base)
        if hint is None:
            signs, hint = self._conjugate(base)
        return (found & signs, hint) if hint is not None else (found, None)

    def _square(self, poly: Poly) -> tuple[Signs, Hint]:
        """Write `4*a*(a*x**2 + b*x + c)` as `(2*a*x + b)**2 + (4*a*c - b**2)`."""
        signs, index = self.reader.of_square(poly)
        if index < 0:
            return signs, None
        space = self.reader.space
        high, middle, low = in_powers(space, poly, index)
        base = 2 * high * space.ring.gens[index] + middle
        rest = space.reduce(4 * high * low - middle * middle)
        square = [
            self.number(space.reduce(base * base)),
            ["product", 1, [[self.number(base), 2, None]]],
        ]
        total = ["sum", [square, [self.number(rest), None]]]
        return signs, ["quotient", self.number(4 * high), None, total]

    def _conjugate(self, poly: Poly) -> tuple[Signs, Hint]:
        """For `a*R - b` with a, b >= 0 the sign is that of `(a*R)**q - b**q`."""
        space = self.reader.space
        for index in reversed(space.occurring(poly)):
            degree = space.generators[index].degree
            if degree != 2 or poly.degree(space.ring.gens[index]) != 1:
                continue
            high = space.coefficient(poly, index)
            low = poly - high * space.ring.gens[index]
            for sign in (1, -1):
                above, above_hint = self.of(sign * high)
                below, below_hint = self.of(-sign * low)
                if not (above <= {0, 1} and below <= {0, 1}):
                    continue
                left = sign * high * space.ring.gens[index]
                square = high**2 * space.generators[index].radicand - low**2
                signs, powers = self.of(space.reduce(square))
                root = [self.number(space.ring.gens[index]), 1, None]
                product = ["product", 1, [[self.number(sign * high), 1, above_hint], root]]
                numbers = self.number(left), self.number(-sign * low)
                hint: Hint = ["conjugate", *numbers, 2, product, below_hint, powers]
                if sign < 0:
                    hint = ["product", -1, [[self.number(-poly), 1, hint]]]
                return frozenset(s * sign for s in signs), hint
        return frozenset((-1, 0, 1)), None
