"""Writes a proof down so that `optgen.checker` can check it: what each node is in each region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optgen.verify.boxes import Signs
from optgen.verify.certificate_book import Book
from optgen.verify.convert import Converter
from optgen.verify.factors import Factorer
from optgen.verify.field import Poly, divided
from optgen.verify.region_claims import REDUCTIONS, RegionClaims
from optgen.verify.regions import Region
from optgen.verify.statement import Table


@dataclass(slots=True)
class Branch:
    """A region of a finished proof: split further, or settled.

    Attributes:
        region: The region.
        converter: What was converted in it.
        factor: The polynomial by whose sign it is split; None if it is settled.
        parts: The signs of each part that is not empty.
        summands: Why there is no part at all, if no point is in the region: what the factor is
            the sum of, each a number times some polynomials.
    """

    region: Region
    converter: Converter | None = None
    factor: Poly = None
    parts: list[tuple[Signs, Branch]] = field(default_factory=list)
    summands: tuple[tuple[int, tuple[Poly, ...]], ...] = ()


class Writer:
    """Writes the proof of one statement.

    Args:
        statement: What `optgen.verify.statement.state` gives.
        table: The rows of the statement.
        factorer: Factors the polynomials of the proof.
    """

    def __init__(self, statement: dict[str, Any], table: Table, factorer: Factorer) -> None:
        self.book = Book(statement, table, factorer)
        self.space = factorer.space
        self.statement = statement
        self.table = table
        self._models: dict[int, int] = {}

    def write(self, tree: Branch, everywhere: Converter) -> dict[str, Any]:
        """Return the proof as a JSON document.

        Args:
            tree: The regions.
            everywhere: A converter in the whole domain.
        """
        leaves = [b.converter for b in _branches(tree) if b.converter is not None]
        self._meet([*leaves, everywhere])
        alike, claims = self._alike(everywhere)
        known: dict[int, Signs] = {}
        self._roots(RegionClaims(self.book, everywhere), known)
        regions = self._tree(tree, known)
        generators = self._generators(everywhere)  # and those that were met by writing
        return {
            "polynomials": self.book.polynomials(),
            "generators": generators,
            "alike": alike,
            "claims": claims,
            "tree": regions,
        }

    def _meet(self, converters: Sequence[Converter]) -> None:
        """Find out which generator each norm and mean became."""
        rows = [i for i, row in enumerate(self.table.rows) if row[0] in REDUCTIONS]
        for converter in converters:
            for i in rows:
                found = converter.known(self.table.trees[i])
                if found is not None:
                    (index,) = self.space.occurring(found.numer)
                    self.book.opaque[i] = index

    def _alike(self, everywhere: Converter) -> tuple[list[Any], dict[str, Any]]:
        first: dict[int, int] = {}
        alike = []
        region = RegionClaims(self.book, everywhere)
        for node, index in sorted(self.book.opaque.items()):
            model = first.setdefault(index, node)
            if model != node:
                for n in (node, model):
                    region.value(self.table.rows[n][1])
                alike.append([node, model])
        self._models = first
        return alike, region.claims

    def _generators(self, everywhere: Converter) -> list[Any]:
        space, hints = self.space, RegionClaims(self.book, everywhere).hints
        by_index: dict[int, Any] = {index: key for key, index in space.keys.items()}
        found: list[Any] = []
        for index in range(len(space.variables), len(space.generators)):
            match by_index[index]:
                case ("root", degree, radicand):
                    found.append(
                        ["root", degree, self.book.number(radicand), hints.of(radicand)[1]]
                    )
                case ("power", numer, denom, term, _):
                    own = [hints.of(p)[1] for p in (numer, denom, denom - numer, denom)]
                    numbers = [self.book.number(p) for p in (numer, denom, term)]
                    found.append(["power", *numbers, own])
                case _ if index in self._models:
                    found.append(["opaque", self._models[index]])
                case _:  # met in no region that was settled
                    found.append(["root", 2, self.book.number(space.one), None])
        return found

    def _roots(self, region: RegionClaims, real: dict[int, Signs]) -> list[tuple[int, Any]]:
        """Return the roots that are real in a region, and why, and powers that are positive.

        Args:
            region: The region.
            real: The signs of those that are known to be already; what is found is added.
        """
        found: list[tuple[int, Any]] = []
        for index, generator in enumerate(self.space.generators):
            if generator.degree and len(real.get(index, ())) != 1:
                signs, hint = region.hints.of(generator.radicand)
                below = [
                    i
                    for i in self.space.occurring(generator.radicand)
                    if self.space.generators[i].degree
                ]
                if signs <= {0, 1} and {*below} <= {*real} and signs != real.get(index):
                    found.append((index, hint))
                    real[index] = signs
            elif index in self.space.powers and index not in real:
                under, _ = self.space.powers[index]
                hints = [region.hints.of(poly) for poly in (under.numer, under.denom)]
                signs = frozenset(s * t for s in hints[0][0] for t in hints[1][0] - {0})
                if signs == {1} and not generator.domain.low_open:
                    found.append((index, [hint for _, hint in hints]))
                    real[index] = signs
        return found

    def _tree(self, branch: Branch, known: Mapping[int, Signs]) -> dict[str, Any]:
        """Return a region as JSON; `known` holds the signs of roots that are real around it."""
        assert branch.converter is not None
        real = dict(known)
        new = self._roots(RegionClaims(self.book, branch.converter), real)
        region = RegionClaims(self.book, branch.converter, frozenset(real))
        own = {"real": [[self.book.places(index), hint] for index, hint in new]} if new else {}
        if branch.factor is not None:
            parts = []
            for signs, below in branch.parts:
                fresh = [i for i in below.region.values if i not in branch.region.values]
                fixed = self.book.places(fresh[0]) if fresh else None
                parts.append([sorted(signs), fixed, self._tree(below, real)])
            hint = region.hints.of(branch.factor)[1]
            hint = region.hints.sum(branch.summands) if branch.summands else hint
            return {**own, "split": self.book.number(branch.factor), "out": hint, "parts": parts}
        zero: dict[str, Any] = {}
        for i, (_, left, right) in enumerate(self.statement["equations"]):
            a, b = region.value(left), region.value(right)
            if not isinstance(a, tuple) or not isinstance(b, tuple) or a == b:
                continue
            space = self.space
            rest = space.product(a[0], b[1]) - space.product(b[0], a[1])
            rest = region.settle(rest)
            if rest:
                zero[str(i)] = self._vanishing(region, rest)
        return {**own, "claims": region.claims, "zero": zero}

    def _vanishing(self, region: RegionClaims, rest: Poly) -> list[Any]:
        for factor, signs in region.region.signs.items():
            if signs == {0}:
                times, left = divided(rest, factor)
                if not region.settle(left):
                    return [[[self.book.number(factor), self.book.number(times)]], None]
        return [[], region.hints.of(rest)[1]]


def _branches(tree: Branch) -> list[Branch]:
    found, todo = [], [tree]
    while todo:
        found.append(todo.pop())
        todo += [below for _, below in found[-1].parts]
    return found
