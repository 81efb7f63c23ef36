"""Writes a proof down so that `optgen.checker` can check it: what each node is in each region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm
from typing import Any

from optgen.verify.boxes import Signs
from optgen.verify.convert import Converter
from optgen.verify.factors import Factorer
from optgen.verify.field import Field, Poly, Quotient, UndefinedEverywhere
from optgen.verify.regions import NeedSplit, Region
from optgen.verify.sign_hints import SignHints
from optgen.verify.statement import Table
from optgen.verify.verdicts import Unsupported

_NONE = object()
"""The value of a node that has none in a region."""
_REDUCTIONS = ("norm", "mean")
_HOLDS = {"<": {-1}, "<=": {-1, 0}, ">": {1}, ">=": {0, 1}, "==": {0}, "!=": {-1, 1}}


@dataclass(slots=True)
class Branch:
    """A region of a finished proof: split further, or settled.

    Attributes:
        region: The region.
        converter: What was converted in it.
        factor: The polynomial by whose sign it is split; None if it is settled.
        parts: The signs of each part that is not empty.
    """

    region: Region
    converter: Converter | None = None
    factor: Poly = None
    parts: list[tuple[Signs, Branch]] = field(default_factory=list)


class Writer:
    """Writes the proof of one statement.

    Args:
        statement: What `optgen.verify.statement.state` gives.
        table: The rows of the statement.
        factorer: Factors the polynomials of the proof.
    """

    def __init__(self, statement: dict[str, Any], table: Table, factorer: Factorer) -> None:
        self.space: Field = factorer.space
        self.factorer = factorer
        self.statement = statement
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

    def write(self, tree: Branch, everywhere: Converter) -> dict[str, Any]:
        """Return the proof as a JSON document.

        Args:
            tree: The regions.
            everywhere: A converter in the whole domain.
        """
        leaves = [b.converter for b in _branches(tree) if b.converter is not None]
        self._meet([*leaves, everywhere])
        alike, claims = self._alike(everywhere)
        known = self._roots(RegionClaims(self, everywhere), frozenset())
        regions = self._tree(tree, frozenset(index for index, _ in known))
        generators = self._generators(everywhere)  # and those that were met by writing
        return {
            "polynomials": [self._terms(poly) for poly in self._numbers],
            "generators": generators,
            "alike": alike,
            "claims": claims,
            "tree": regions,
        }

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

    def _meet(self, converters: Sequence[Converter]) -> None:
        """Find out which generator each norm and mean became."""
        rows = [i for i, row in enumerate(self.table.rows) if row[0] in _REDUCTIONS]
        for converter in converters:
            for i in rows:
                found = converter.known(self.table.trees[i])
                if found is not None:
                    (index,) = self.space.occurring(found.numer)
                    self.opaque[i] = index

    def _alike(self, everywhere: Converter) -> tuple[list[Any], dict[str, Any]]:
        first: dict[int, int] = {}
        alike = []
        region = RegionClaims(self, everywhere)
        for node, index in sorted(self.opaque.items()):
            model = first.setdefault(index, node)
            if model != node:
                for n in (node, model):
                    region.value(self.table.rows[n][1])
                alike.append([node, model])
        self._models = {index: node for index, node in first.items()}
        return alike, region.claims

    def _generators(self, everywhere: Converter) -> list[Any]:
        space, hints = self.space, RegionClaims(self, everywhere).hints
        by_index = {index: key for key, index in space.keys.items()}
        found: list[Any] = []
        for index in range(len(space.variables), len(space.generators)):
            match by_index[index]:
                case ("root", degree, radicand):
                    found.append(["root", degree, self.number(radicand), hints.of(radicand)[1]])
                case ("power", numer, denom, term, _):
                    own = [hints.of(p)[1] for p in (numer, denom, denom - numer, denom)]
                    numbers = [self.number(p) for p in (numer, denom, term)]
                    found.append(["power", *numbers, own])
                case _ if index in self._models:
                    found.append(["opaque", self._models[index]])
                case _:  # met in no region that was settled
                    found.append(["root", 2, self.number(space.one), None])
        return found

    def _roots(self, region: RegionClaims, real: frozenset[int]) -> list[tuple[int, Any]]:
        """Return the roots, besides those in `real`, that are real in a region, and why."""
        found = []
        for index, generator in enumerate(self.space.generators):
            if generator.degree and index not in real:
                signs, hint = region.hints.of(generator.radicand)
                if signs <= {0, 1}:
                    found.append((index, hint))
        return found

    def _tree(self, branch: Branch, real: frozenset[int]) -> dict[str, Any]:
        """Return a region as JSON; the roots in `real` are known to be real around it."""
        assert branch.converter is not None
        new = self._roots(RegionClaims(self, branch.converter), real)
        real |= {index for index, _ in new}
        region = RegionClaims(self, branch.converter, real)
        own = {"real": [[self.places(index), hint] for index, hint in new]} if new else {}
        if branch.factor is not None:
            parts = []
            for signs, below in branch.parts:
                fresh = [i for i in below.region.values if i not in branch.region.values]
                fixed = self.places(fresh[0]) if fresh else None
                parts.append([sorted(signs), fixed, self._tree(below, real)])
            hint = region.hints.of(branch.factor)[1]
            return {**own, "split": self.number(branch.factor), "out": hint, "parts": parts}
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
                (times,), left = rest.div([factor])
                if not region.settle(left):
                    return [[self.number(factor), self.number(times)]]
        return []


def _branches(tree: Branch) -> list[Branch]:
    found, todo = [], [tree]
    while todo:
        found.append(todo.pop())
        todo += [below for _, below in found[-1].parts]
    return found


class RegionClaims:
    """Claims of what the nodes are in one region, computed as the checker will."""

    def __init__(
        self, writer: Writer, converter: Converter, real: frozenset[int] = frozenset()
    ) -> None:
        self.real = real
        self.writer = writer
        self.space = writer.space
        self.region = converter.region
        self.converter = converter
        self.hints = SignHints(converter.signs, writer.number, self.settle)
        self.claims: dict[str, Any] = {}
        self._rows = writer.table.rows
        self._values: dict[int, Any] = {}

    def settle(self, poly: Poly) -> Poly:
        """Put fixed variables in place, and reduce."""
        poly = self.space.reduce(poly)
        if self.region.values:
            poly = self.space.reduce(self.converter.settled(poly))
            poly = self.converter.settled(poly)
        return poly

    def value(self, index: int) -> Any:
        """Return the value of a node, as a pair of polynomials, a truth, `_NONE` or None."""
        todo = [index]
        while todo:
            node = todo[-1]
            if node in self._values:
                todo.pop()
                continue
            missing = [i for i in self._read(node) if i not in self._values]
            if missing:
                todo += reversed(missing)
                continue
            todo.pop()
            found = self._node(node)
            if isinstance(found, tuple):
                found = self._cut(f"{node}/", *found)
            self._values[node] = found
        return self._values[index]

    def _cut(self, name: str, numer: Poly, denom: Poly) -> tuple[Poly, Poly]:
        n, d, g = self.writer.cut(numer, denom)
        if g != 1:
            self.claims[name] = [self.writer.number(p) for p in (n, d, g)]
        return n, d

    def _read(self, index: int) -> list[int]:
        """Return what has to be known first; of a choice, what its first true branch needs."""
        tag, *rest = self._rows[index]
        if tag in ("number", "name", *_REDUCTIONS):
            return []
        if tag == "compare":
            return list(rest[1:])
        if tag != "choice":
            return list(rest)
        read = []
        for value, condition in rest:
            read.append(condition)
            found = self._values.get(condition)
            if condition not in self._values or found is None or found is _NONE:
                break
            if found is True:
                read.append(value)
                break
        return read

    def _node(self, index: int) -> Any:
        tag, *rest = self._rows[index]
        space = self.space
        match tag:
            case "number":
                found = space.constant(Fraction(rest[0]))
                return found.numer, found.denom
            case "name":
                at = space.variables.index(rest[0])
                return self.settle(space.ring.gens[at]), space.one
            case "norm" | "mean":
                own = self.writer.opaque.get(index)
                return None if own is None else (space.ring.gens[own], space.one)
            case "choice":
                return self._choice(index, rest)
        args = [self._values[i] for i in self._read(index)]
        if tag in ("and", "or") and any(a is (tag == "or") for a in args):
            return tag == "or"
        if any(a is _NONE for a in args):
            return _NONE
        if any(a is None for a in args):
            return None
        match tag:
            case "and" | "or":
                return tag == "and"
            case "not":
                return not args[0]
            case "add" | "mul":
                total = args[0]
                for arg in args[1:]:
                    total = self._combine(tag, total, arg)
                return total
            case "power":
                return self._power(index, *args)
        return self._ordered(index, tag, rest, args)

    def _choice(self, index: int, branches: Sequence[Any]) -> Any:
        for at, (value, condition) in enumerate(branches):
            found = self._values.get(condition)
            if found is _NONE or found is True:
                self.claims[str(index)] = ["take", at]
                return _NONE if found is _NONE else self._values[value]
            if found is None:
                return None
        return None

    def _combine(self, tag: str, a: Any, b: Any) -> Any:
        product, settle = self.space.product, self.settle
        if tag == "mul":
            return settle(product(a[0], b[0])), settle(product(a[1], b[1]))
        if a[1] == b[1]:
            return a[0] + b[0], a[1]
        numer = settle(product(a[0], b[1])) + settle(product(b[0], a[1]))
        return numer, settle(product(a[1], b[1]))

    def _signs(self, value: Any) -> tuple[Signs, list[Any]]:
        """Return the signs of a fraction where it has a value, and how they are seen."""
        n, d, g = self.writer.cut(*value)
        above, above_hint = self.hints.of(n)
        below, below_hint = self.hints.of(d)
        hint: list[Any] = [above_hint, below_hint]
        if g != 1:
            hint.append([self.writer.number(p) for p in (n, d, g)])
        return frozenset(s * t for s in above for t in below - {0}), hint

    def _ordered(self, index: int, tag: str, rest: Sequence[Any], args: list[Any]) -> Any:
        hints: list[Any] = []
        total = args[0]
        self.claims[str(index)] = ["signs"]
        found: Any = None
        if tag in ("abs", "sign"):
            signs, hint = self._signs(total)
            hints.append(hint)
            if tag == "sign":
                only = self.space.constant(min(signs)) if len(signs) == 1 else None
                found = None if only is None else (only.numer, only.denom)
            elif signs <= {0, 1}:
                found = total
            elif signs <= {0, -1}:
                found = -total[0], total[1]
        for arg in args[1:]:
            difference = self._combine("add", arg, (-total[0], total[1]))
            signs, hint = self._signs(difference)
            hints.append(hint)
            if tag == "compare":
                own = {-s for s in signs}
                holds = _HOLDS[rest[0]]
                found = True if own <= holds else None if own & holds else False
                break
            if not (signs <= {0, 1} or signs <= {0, -1}):
                found = None
                break
            if (signs <= {0, 1}) == (tag == "max") or signs == {0}:
                total = arg
            found = total
        self.claims[str(index)] = ["signs", *hints]
        return found

    def _power(self, index: int, base: Any, exponent: Any) -> Any:
        e, f = exponent
        if e.is_ground and f.is_ground:
            power = Fraction(int(e.LC) if e else 0, int(f.LC))
            found, claim = self._rational(base, power, self._oracle(index))
            if claim is not None:
                self.claims[str(index)] = claim
            return found
        if base[0] == base[1]:
            return self.space.one, self.space.one
        return self._law(index, Quotient(*base), Quotient(*exponent))

    def _oracle(self, index: int) -> Quotient | None:
        try:
            return self.converter.convert(self.writer.table.trees[index])
        except (UndefinedEverywhere, NeedSplit, Unsupported):
            return None

    def _rational(self, base: Any, power: Fraction, known: Quotient | None) -> tuple[Any, Any]:
        """Return base**power, and the claim of a root if it is one."""
        p, q = power.numerator, power.denominator
        a, b = base
        if not a and p < 0:
            return _NONE, None
        n, d = (self.settle(self.space.raised(x, abs(p))) for x in (a, b))
        n, d = (d, n) if p < 0 else (n, d)
        if q == 1:
            return (n, d), None
        if not a:
            return (self.space.ring.zero, self.space.one), None
        if known is None:
            signs, hint = self._signs(base)
            undefined = signs <= ({-1} if p > 0 else {0, -1})
            return (_NONE, ["none", *hint]) if undefined else (None, None)
        return self._root((n, d), q, known, self.settle(self.space.product(a, b)))

    def _root(self, value: Any, q: int, known: Quotient, inside: Poly | None) -> tuple[Any, Any]:
        """Return a root and its claim; `inside` has the sign of what stands under it."""
        d, number = value[1], self.writer.number
        w, v = self.settle(known.numer), self.settle(known.denom)
        divides: Any = None
        if not v.is_ground:
            power_of = self.space.one
            for times in range(1, q + 1):
                power_of = self.settle(self.space.product(power_of, d))
                other = self._quotient(power_of, v)
                if other is not None:
                    divides = [other, times]
                    break
        above, below = self.hints.of(w)[1], self.hints.of(v)[1]
        real = self._real(w, inside)
        return (w, v), ["root", number(w), number(v), divides, above, below, real]

    def _real(self, root: Poly, inside: Poly | None) -> list[Any]:
        """Say why the generators in a root are real where what stands under it is not negative."""
        found = []
        for index in self.space.occurring(root):
            generator = self.space.generators[index]
            if not generator.degree or index in self.real:
                continue
            signs, hint = self.hints.of(generator.radicand)
            if inside is not None and not signs <= {0, 1}:
                quotients, left = inside.div([self.settle(generator.radicand)])
                if quotients and not left:
                    by = quotients[0]
                    hint = ["quotient", self.writer.number(by), self.hints.of(by)[1], None]
            found.append([self.writer.places(index), hint])
        return found

    def _law(self, index: int, base: Quotient, exponent: Quotient) -> Any:
        """Return base**exponent as a product of generators, times a constant power."""
        known = self._oracle(index)
        if known is None:
            return None
        space, number, places = self.space, self.writer.number, self.writer.places
        terms, constant = self.converter.powers.exponents(exponent)
        parts, found = [], []
        for base_part, count in self.converter.powers.bases(base):
            inner = space.index_of(base_part)
            deeper = space.powers.get(inner)
            own, first = (base_part, space.one) if deeper is None else deeper
            for term, share in terms:
                key = ("power", own.numer, own.denom, space.product(first, term), Fraction(1))
                if key not in space.keys:
                    return None
                found.append((space.keys[key], share * count, len(parts)))
            divides = self._quotient(base.denom, own.numer) if count < 0 else None
            hint = self._signs((own.numer, own.denom))[1][:2]
            numbers = number(own.numer), number(own.denom)
            parts.append(
                [*numbers, count, None if deeper is None else places(inner), divides, hint]
            )
        degree = lcm(constant.denominator, *(share.denominator for _, share, _ in found))
        pair = (base.numer, base.denom)
        value, rest = self._rational(pair, constant * degree, None)
        if not isinstance(value, tuple):
            return value
        over, under = value
        factors = []
        for at, share, part in found:
            times = int(share * degree)
            factors.append([places(at), times, part])
            raised = space.raised(space.ring.gens[at], abs(times))
            over = self.settle(space.product(over, raised)) if times > 0 else over
            under = self.settle(space.product(under, raised)) if times < 0 else under
        root = None
        if degree > 1:
            (over, under), root = self._root((over, under), degree, known, None)
        self.claims[str(index)] = ["law", degree, str(constant), parts, factors, rest, root]
        return over, under

    def _quotient(self, whole: Poly, part: Poly) -> int | None:
        quotients, left = whole.div([part])
        return None if left or not quotients else self.writer.number(quotients[0])
