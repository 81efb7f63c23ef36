"""Proves two expressions equal: the same normal form in every region of the domain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from optgen.domains import REAL, Domain
from optgen.verify.convert import Converter, Program
from optgen.verify.deadline import Deadline, OutOfTime
from optgen.verify.factors import Factorer
from optgen.verify.field import Field, MoreGenerators, Poly, Quotient, UndefinedEverywhere
from optgen.verify.powers import NegativeExponent
from optgen.verify.regions import NeedSplit, Region
from optgen.verify.serialise import Tree, names
from optgen.verify.structure import signs_as_written
from optgen.verify.verdicts import Certificate, RegionProof, Unsupported

_MOST_REGIONS = 600
_MOST_GENERATORS = 40


@dataclass(frozen=True, slots=True)
class Failure:
    """No proof was found.

    Attributes:
        reason: Why, in one sentence.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Equation:
    """Two expressions that should be equal, under a label for people."""

    label: str
    left: Tree
    right: Tree


class _NoProof(Exception):
    """What should hold in a region was not proved there."""


Goal = Callable[[Converter], list[tuple[str, Quotient]]]
"""Settles one region: its labelled normal forms; raises `_NoProof` where there is no proof."""


def prove_equal(
    equations: Sequence[Equation],
    domains: Mapping[str, Domain],
    definitions: Mapping[str, Tree],
    deadline: Deadline,
) -> Certificate | Failure:
    """Prove equations wherever both of their sides have a value.

    Args:
        equations: What should hold.
        domains: Domain of each variable; the others are real.
        definitions: What the names that are no variables stand for.
        deadline: When to give up.
    """

    def goal(converter: Converter) -> list[tuple[str, Quotient]]:
        values = []
        for equation in equations:
            try:
                a, b = converter.convert(equation.left), converter.convert(equation.right)
            except UndefinedEverywhere:
                if not converter.region.is_face:
                    raise
                continue  # one side has no value on this face: nothing is claimed there
            f = converter.space
            if a != b:
                difference = f.product(a.numer, b.denom) - f.product(b.numer, a.denom)
                if not _vanishes(converter, f.reduce(difference)):
                    raise _NoProof(f"the normal forms of {equation.label} differ")
            values.append((equation.label, a))
        return values

    trees = tuple(tree for e in equations for tree in (e.left, e.right))
    return _everywhere(goal, trees, domains, definitions, deadline)


def prove_signs(
    tree: Tree,
    allowed: frozenset[int],
    domains: Mapping[str, Domain],
    definitions: Mapping[str, Tree],
    deadline: Deadline,
) -> Certificate | Failure:
    """Prove that an expression has one of the signs wherever it has a value."""

    def goal(converter: Converter) -> list[tuple[str, Quotient]]:
        if not signs_as_written(tree, definitions, converter) <= allowed:
            raise _NoProof("the sign is not known")
        return [("value", converter.convert(tree))]

    return _everywhere(goal, (tree,), domains, definitions, deadline)


def _vanishes(converter: Converter, poly: Poly) -> bool:
    """Whether a polynomial is 0, or a multiple of one that is 0 in the region."""
    if not poly:
        return True
    f = converter.space
    for factor, signs in converter.region.signs.items():
        if signs == {0} and not f.reduce(poly.rem([factor])):
            return True
    return False


def _everywhere(
    goal: Goal,
    trees: tuple[Tree, ...],
    domains: Mapping[str, Domain],
    definitions: Mapping[str, Tree],
    deadline: Deadline,
) -> Certificate | Failure:
    variables = _variables(trees, definitions)
    spare, from_one = 8, False
    while True:
        field = Field(variables, [domains.get(v, REAL) for v in variables], spare, deadline)
        index = {name: i for i, name in enumerate(variables)}
        program = Program(definitions, index, from_one)
        try:
            return _in_every_region(goal, program, field)
        except MoreGenerators:
            spare *= 2
            if spare > _MOST_GENERATORS:
                return Failure("more roots and powers than can be kept apart")
        except NegativeExponent as error:
            if from_one:
                return Failure(str(error))
            from_one = True
        except (Unsupported, OutOfTime) as error:
            return Failure(str(error))


def _variables(trees: tuple[Tree, ...], definitions: Mapping[str, Tree]) -> tuple[str, ...]:
    found: set[str] = set()
    seen: set[str] = set()
    todo = [name for tree in trees for name in names(tree)]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in definitions:
            todo += names(definitions[name])
        else:
            found.add(name)
    return tuple(sorted(found))


def _in_every_region(goal: Goal, program: Program, field: Field) -> Certificate | Failure:
    factorer = Factorer(field)
    proofs: list[RegionProof] = []
    todo = [Region()]
    count = 0
    while todo:
        region = todo.pop()
        count += 1
        if count > _MOST_REGIONS:
            return Failure(f"more than {_MOST_REGIONS} regions")
        converter = Converter(program, factorer, region)
        try:
            values = goal(converter)
        except NeedSplit as split:
            parts = [region.refine(field, split.factor, part) for part in split.parts]
            todo += [part for part in reversed(parts) if part is not None]
            continue
        except _NoProof as error:
            place = " and ".join(region.conditions(field))
            return Failure(f"{error} where {place}" if place else str(error))
        texts = [(label, field.text(v.numer), field.text(v.denom)) for label, v in values]
        proofs.append(RegionProof(region.conditions(field), tuple(texts)))
    used = field.generators[len(program.variables) :]
    labels = tuple(
        (str(field.ring.symbols[len(program.variables) + i]), g.label) for i, g in enumerate(used)
    )
    ends = tuple((g.label, str(g.domain)) for g in field.generators[: len(program.variables)])
    return Certificate(labels, ends, tuple(proofs))
