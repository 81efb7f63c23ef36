"""Writes a proof down so that `optgen.checker` can check it: what each node is in each region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optgen.verify.certificate.book import Book
from optgen.verify.certificate.claims import REDUCTIONS, RegionClaims
from optgen.verify.certificate.statement import Table
from optgen.verify.normal.boxes import Signs
from optgen.verify.normal.branches import Branch
from optgen.verify.normal.convert import Converter
from optgen.verify.normal.factors import Factorer
from optgen.verify.normal.field import Poly, divided
from optgen.verify.normal.growing import same_arguments
from optgen.verify.serialise import Tree


class Writer:
    """Writes the proof of one statement.

    Args:
        statement: What `optgen.verify.certificate.statement.state` gives.
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
        self._meet()
        known: dict[int, Signs] = {}
        self._roots(RegionClaims(self.book, everywhere), known)
        alike, claims = self._alike(everywhere, known)
        regions = self._tree(tree, known, self.statement["equations"])
        generators = self._generators(everywhere)  # and those that were met by writing
        return {
            "polynomials": self.book.polynomials(),
            "generators": generators,
            "alike": alike,
            "claims": claims,
            "tree": regions,
        }

    def _meet(self) -> None:
        """Find out which generator each norm and mean became."""
        for i, row in enumerate(self.table.rows):
            if row[0] in REDUCTIONS:
                shape = self.space.shapes.number(self._argument(i), self.table.definitions)
                for known in self.space.reduced[row[0]]:
                    if known.shape == shape:
                        self.book.opaque[i] = self.space.keys[row[0], known.key]

    def _argument(self, node: int) -> Tree:
        argument: Tree = self.table.trees[self.table.rows[node][1]]
        return argument

    def _alike(
        self, everywhere: Converter, known: Mapping[int, Signs]
    ) -> tuple[list[Any], dict[str, Any]]:
        groups: dict[int, list[int]] = {}
        alike: list[Any] = []
        region = RegionClaims(self.book, everywhere)
        for node, index in sorted(self.book.opaque.items()):
            group = groups.setdefault(index, [])
            if group:
                pairs = [(other, self._same(region, node, other, known)) for other in group]
                alike.append([node, group[0], {str(i): tree for i, tree in pairs if tree}])
            group.append(node)
        self._models = {index: group[0] for index, group in groups.items()}
        return alike, region.claims

    def _same(
        self, region: RegionClaims, node: int, other: int, known: Mapping[int, Signs]
    ) -> dict[str, Any] | None:
        """Return the proof that two arguments are the same; None if their values show it."""
        tag = self.table.rows[node][0]
        left, right = (self.table.rows[i][1] for i in (other, node))
        values = region.value(left), region.value(right)
        if all(isinstance(v, tuple) for v in values):
            gaps = self._gaps(region, *values, tag == "norm")
            if not all(gaps):
                return None
        program, factorer = region.converter.program, self.book.factorer
        arguments = self._argument(other), self._argument(node)
        tree = same_arguments(program, factorer, *arguments, tag == "norm")
        equation = (("argument", left, right),)
        return None if tree is None else self._tree(tree, known, equation, tag == "norm")

    def _gaps(self, region: RegionClaims, a: Any, b: Any, either: bool) -> list[Poly]:
        """Return what is 0 if two fractions are the same, and if they are opposite."""
        product = self.space.product
        x, y = product(a[0], b[1]), product(b[0], a[1])
        return [region.settle(x - y), *([region.settle(x + y)] if either else [])]

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

    def _tree(
        self,
        branch: Branch,
        known: Mapping[int, Signs],
        equations: Sequence[tuple[str, int, int]],
        either: bool = False,
    ) -> dict[str, Any]:
        """Return a region as JSON.

        Args:
            branch: The region.
            known: The signs of roots that are real around it.
            equations: What holds there.
            either: Whether the sides may be opposite, too.
        """
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
                parts.append([sorted(signs), fixed, self._tree(below, real, equations, either)])
            hint = region.hints.of(branch.factor)[1]
            hint = region.hints.sum(branch.summands) if branch.summands else hint
            return {**own, "split": self.book.number(branch.factor), "out": hint, "parts": parts}
        zero: dict[str, Any] = {}
        opposite: list[int] = []
        for i, (_, left, right) in enumerate(equations):
            a, b = region.value(left), region.value(right)
            if not isinstance(a, tuple) or not isinstance(b, tuple) or a == b:
                continue
            for turned, rest in enumerate(self._gaps(region, a, b, either)):
                shown, why = self._vanishing(region, rest) if rest else (True, None)
                if shown:
                    zero |= {str(i): why} if why else {}
                    opposite += [i] * turned
                    break
        return {**own, "claims": region.claims, "zero": zero, "opposite": opposite}

    def _vanishing(self, region: RegionClaims, rest: Poly) -> tuple[bool, list[Any]]:
        """Return whether a polynomial is seen to be 0 in a region, and how."""
        for factor, signs in region.region.signs.items():
            if signs == {0}:
                times, left = divided(rest, factor)
                if not region.settle(left):
                    return True, [[[self.book.number(factor), self.book.number(times)]], None]
        found, hint = region.hints.of(rest)
        return found == {0}, [[], hint]
