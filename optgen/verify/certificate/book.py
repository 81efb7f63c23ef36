"""What all regions of a certificate share: its polynomials, its generators, its rows."""

from __future__ import annotations

from typing import Any

from optgen.verify.certificate.statement import Table
from optgen.verify.normal.factors import Factorer
from optgen.verify.normal.field import Field, Poly


class Book:
    """Numbers the polynomials and generators of one certificate.

    Args:
        statement: What `optgen.verify.certificate.statement.state` gives.
        table: The rows of the statement.
        factorer: Factors the polynomials of the proof.

    Attributes:
        opaque: The generator that each norm or mean, by its row, became.
    """

    def __init__(self, statement: dict[str, Any], table: Table, factorer: Factorer) -> None:
        self.space: Field = factorer.space
        self.factorer = factorer
        self.table = table
        self.opaque: dict[int, int] = {}
        self._numbers: dict[Poly, int] = {}
        self._cuts: dict[tuple[Poly, Poly], tuple[Poly, Poly, Poly]] = {}
        names = [name for name, *_ in statement["variables"]]
        self._variables = {self.space.variables.index(name): i for i, name in enumerate(names)}

    def places(self, index: int) -> int:
        """Return the number that a generator of the field has in the certificate."""
        if index < len(self.space.variables):
            return self._variables[index]
        return index - len(self.space.variables) + len(self._variables)

    def number(self, poly: Poly) -> int:
        """Return the number of a polynomial in the certificate."""
        return self._numbers.setdefault(poly, len(self._numbers))

    def polynomials(self) -> list[Any]:
        """Return the polynomials that have numbers, as JSON."""
        return [self._terms(poly) for poly in self._numbers]

    def _terms(self, poly: Poly) -> list[Any]:
        return [
            [int(c), [[self.places(i), e] for i, e in enumerate(m) if e]]
            for m, c in sorted(poly.items())
        ]

    def cut(self, numer: Poly, denom: Poly) -> tuple[Poly, Poly, Poly]:
        """Return a fraction in lowest terms, and what was cancelled."""
        found = self._cuts.get((numer, denom))
        if found is None:
            found = numer, denom, self.space.one
            if numer and not denom.is_ground:
                g, n, d = self.space.engine.cofactors(numer, denom)
                found = (n, d, g) if d.LC > 0 else (-n, -d, -g)
            elif not numer:
                found = numer, self.space.one, denom
            self._cuts[numer, denom] = found
        return found
