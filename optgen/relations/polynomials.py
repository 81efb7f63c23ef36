"""Takes equations between trees apart into polynomial equations for the unknowns.

An equation that must hold for all values of some variables holds coefficient by
coefficient; in each region of the unknowns there is one system.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sympy import ZZ
from sympy.polys.orderings import grevlex
from sympy.polys.rings import PolyRing

from optgen.domains import REAL
from optgen.relations.systems import RULE, Condition, Roles, Split, System
from optgen.verify.deadline import Deadline
from optgen.verify.normal.convert import Converter, Program
from optgen.verify.normal.factors import Factorer
from optgen.verify.normal.field import Field, MoreGenerators, Poly, UndefinedEverywhere
from optgen.verify.normal.regions import NeedSplit, Region
from optgen.verify.proof import Equation
from optgen.verify.serialise import Tree
from optgen.verify.verdicts import Unsupported

_MOST_REGIONS = 24
_MOST_TERMS = 6_000
_SPARE = (8, 16)


def systems(
    equations: Sequence[Equation],
    definitions: Mapping[str, Tree],
    roles: Roles,
    deadline: Deadline,
) -> list[System]:
    """Return a system for each region of the unknowns; together the regions hold all values.

    Raises:
        Split: The equations take different forms for parts of the free variables.
        Unsupported: They have no polynomial form here.
    """
    for spare in _SPARE:
        try:
            return _regions(equations, definitions, roles, spare, deadline)
        except MoreGenerators:
            continue
    raise Unsupported("more roots and powers than can be kept apart")


def _regions(
    equations: Sequence[Equation],
    definitions: Mapping[str, Tree],
    roles: Roles,
    spare: int,
    deadline: Deadline,
) -> list[System]:
    variables = (*roles.base, *roles.unknown, *roles.free)
    domains = [roles.domains.get(v, REAL) for v in variables]
    field = Field(variables, domains, spare, deadline)
    program = Program(definitions, {name: i for i, name in enumerate(variables)})
    factorer = Factorer(field)
    found: list[System] = []
    todo = [Region()]
    count = 0
    while todo:
        region = todo.pop()
        count += 1
        if count > _MOST_REGIONS:
            raise Unsupported(f"more than {_MOST_REGIONS} regions")
        converter = Converter(program, factorer, region)
        polys = []
        nonzero: list[Poly] = []
        try:
            for equation in equations:
                difference, denominators = _difference(converter, equation)
                nonzero += denominators
                if difference:
                    polys.append((difference, equation.label))
        except NeedSplit as split:
            if any(str(field.ring.symbols[i]) in roles.free for i in _reach(field, split.factor)):
                raise Split(_terms(split.factor)) from None
            parts = [region.refine(field, split.factor, part) for part in split.parts]
            todo += [part for part in reversed(parts) if part is not None]
            continue
        faces = [poly for poly, signs in region.signs.items() if signs == {0}]
        polys += [(poly, "the part of the domain in which it is 0") for poly in faces]
        if roles.strict:
            nonzero += _open_ends(field, roles)
            nonzero = [f for p in dict.fromkeys(nonzero) for f, _ in factorer.factor(p).powers]
        else:
            nonzero = []
        found.append(_collect(field, polys, nonzero, roles, region.conditions(field)))
    return found


def _open_ends(field: Field, roles: Roles) -> list[Poly]:
    """Return what is not 0 since the ends of a domain lie outside."""
    found = []
    for name in roles.unknown:
        index = list(field.variables).index(name)
        domain, x = field.domains[index], field.ring.gens[index]
        for end, is_open in ((domain.low, domain.low_open), (domain.high, domain.high_open)):
            if end is not None and is_open:
                found.append(x * end.denominator - end.numerator)
    return found


def _difference(converter: Converter, equation: Equation) -> tuple[Poly, tuple[Poly, ...]]:
    """Return the numerator of left - right, 0 where a side has no value; the denominators."""
    f = converter.space
    try:
        a, b = converter.convert(equation.left), converter.convert(equation.right)
    except UndefinedEverywhere:
        return f.ring.zero, ()
    numer = f.reduce(f.product(a.numer, b.denom) - f.product(b.numer, a.denom))
    if len(numer) > _MOST_TERMS:
        raise Unsupported(f"an equation of {len(numer)} terms")
    return numer, (a.denom, b.denom)


def _terms(poly: Poly) -> dict[tuple[tuple[str, int], ...], int]:
    names = [str(s) for s in poly.ring.symbols]
    return {
        tuple((n, p) for n, p in zip(names, monomial, strict=True) if p): int(coefficient)
        for monomial, coefficient in poly.items()
    }


def _reach(field: Field, poly: Poly) -> set[int]:
    """Return the generators in a polynomial and in the radicands of its roots."""
    found: set[int] = set()
    todo = list(field.occurring(poly))
    while todo:
        index = todo.pop()
        if index not in found:
            found.add(index)
            radicand = field.generators[index].radicand
            if radicand is not None:
                todo += field.occurring(radicand)
    return found


def _collect(
    field: Field,
    polys: list[tuple[Poly, str]],
    nonzero: list[Poly],
    roles: Roles,
    where: tuple[str, ...],
) -> System:
    """Take equations apart by the free variables; add the rule of every root in use."""
    used: set[int] = set()
    for poly, _ in polys:
        used |= _reach(field, poly)
    nonzero = [p for p in dict.fromkeys(nonzero) if _speaks(field, p, used, roles)]
    free, rooted = _sorted_out(field, used, roles)
    gens = field.ring.gens
    labels = {i: f"aux{n}" for n, i in enumerate(rooted, 1)}
    roots = {labels[i]: field.words(gens[i]) for i in rooted}
    inverse = f"aux{len(roots) + 1}"
    if nonzero:
        roots[inverse] = "1/(" + ")/(".join(field.words(p) for p in nonzero) + ")"
    unknown = (*roles.unknown, *roots)
    ring = PolyRing((*roles.base, *unknown), ZZ, grevlex)
    small = _Translation(field, ring, labels, free)
    conditions: dict[Poly, Condition] = {}
    for poly, origin in polys:
        for of, made in small.coefficients(poly):
            text = f"{origin}, {of}" if of else origin
            conditions.setdefault(made, Condition(made, text))
    for index in rooted:
        generator = field.generators[index]
        if generator.degree:
            rule = gens[index] ** generator.degree - generator.radicand
            for _, made in small.coefficients(rule):
                text = f"{RULE} {generator.label}"
                conditions.setdefault(made, Condition(made, text))
    if nonzero:
        total = ring.gens[-1]
        for poly in nonzero:
            total *= small.whole(poly)
        conditions[total - 1] = Condition(total - 1, f"{RULE} {roots[inverse]}")
    return System(ring, roles.base, unknown, roots, tuple(conditions.values()), where)


def _sorted_out(field: Field, used: set[int], roles: Roles) -> tuple[set[int], list[int]]:
    """Return the generators that are free, and the roots and powers that are not.

    Raises:
        Unsupported: A root depends on free variables, and that is not allowed.
    """
    names = [str(s) for s in field.ring.symbols]
    free = {i for i in used if names[i] in roles.free}
    rooted: list[int] = []
    for index in sorted(i for i in used if i >= len(field.variables)):
        generator = field.generators[index]
        inside = set() if generator.radicand is None else _reach(field, generator.radicand)
        depends = bool(inside & free)
        if generator.radicand is None:  # a power: its label says what it is made of
            label = field.words(field.ring.gens[index])
            hidden = re.search(r"\b_\d+", label) is not None
            depends = hidden or any(n in roles.free for n in re.findall(r"[A-Za-z]\w*", label))
        sought = any(names[i] in roles.unknown for i in inside)
        if not depends:
            rooted.append(index)
        elif roles.free_roots and not sought:
            free.add(index)
        else:
            raise Unsupported(f"{generator.label} depends on what a step is given")
    return free, rooted


class _Translation:
    """Takes polynomials from a field's ring to that of a system.

    Args:
        field: The field.
        ring: The ring of the system.
        labels: What roots are called there, by index in the field.
        free: The generators by which polynomials are taken apart.
    """

    def __init__(self, field: Field, ring: Any, labels: Mapping[int, str], free: set[int]) -> None:
        self._field, self._ring, self._free = field, ring, free
        position = {str(s): i for i, s in enumerate(ring.symbols)}
        spelt = [labels.get(i, str(s)) for i, s in enumerate(field.ring.symbols)]
        self._position = [position.get(name, -1) for name in spelt]

    def whole(self, poly: Poly) -> Poly:
        """Return a polynomial without free generators."""
        return self._ring.from_dict({self._monomial(m): c for m, c in poly.items()})

    def coefficients(self, poly: Poly) -> Iterator[tuple[str, Poly]]:
        """Yield the coefficients of a polynomial in the free generators, each primitive.

        The text says of what; it is empty if there are no free generators.
        """
        groups: dict[tuple[tuple[int, int], ...], dict[tuple[int, ...], int]] = {}
        for monomial, value in poly.items():
            key = tuple((i, p) for i, p in enumerate(monomial) if p and i in self._free)
            groups.setdefault(key, {})[self._monomial(monomial)] = value
        for key, terms in groups.items():
            _, made = self._ring.from_dict(terms).primitive()
            yield self._words(key), -made if made and made.LC < 0 else made

    def _monomial(self, monomial: tuple[int, ...]) -> tuple[int, ...]:
        powers = [0] * self._ring.ngens
        for i, power in enumerate(monomial):
            if power and i not in self._free:
                powers[self._position[i]] = power
        return tuple(powers)

    def _words(self, key: tuple[tuple[int, int], ...]) -> str:
        if not self._free:
            return ""
        gens = self._field.ring.gens
        factors = [self._field.words(gens[i]) + (f"**{p}" if p > 1 else "") for i, p in key]
        return "coefficient of " + "*".join(factors) if factors else "the constant term"


def _speaks(field: Field, poly: Poly, used: set[int], roles: Roles) -> bool:
    """Whether a polynomial is of unknowns that occur, and of nothing that is free."""
    names = [str(s) for s in field.ring.symbols]
    reach = _reach(field, poly)
    unknown = {i for i in reach if names[i] in roles.unknown}
    return bool(unknown) and reach <= used and not any(names[i] in roles.free for i in reach)
