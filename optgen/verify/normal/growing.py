"""Splits the domain until a goal holds in every region."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from optgen.verify.normal.branches import Branch
from optgen.verify.normal.convert import Converter, Program
from optgen.verify.normal.emptiness import Contradiction, contradiction, plain_contradiction
from optgen.verify.normal.factors import Factorer
from optgen.verify.normal.field import Quotient, UndefinedEverywhere
from optgen.verify.normal.powers import NegativeExponent
from optgen.verify.normal.regions import NeedSplit, Region
from optgen.verify.normal.settling import carried
from optgen.verify.serialise import Tree
from optgen.verify.verdicts import Unsupported

_MOST_REGIONS = 600
_MOST_FOR_ARGUMENTS = 60


@dataclass(frozen=True, slots=True)
class Failure:
    """No proof was found.

    Attributes:
        reason: Why, in one sentence.
        place: What was converted in the region that stopped the proof, if one did.
    """

    reason: str
    place: Converter | None = None


class NoProof(Exception):
    """What should hold in a region was not proved there."""


Goal = Callable[[Converter], list[tuple[str, Quotient]]]
"""Settles one region: its labelled normal forms; raises `NoProof` where there is no proof."""


def grow(
    goal: Goal, program: Program, factorer: Factorer, most: int = _MOST_REGIONS
) -> Branch | Failure:
    """Return the regions, in each of which the goal holds or there is no point.

    Args:
        goal: What should hold.
        program: What names stand for.
        factorer: Factors polynomials of the field.
        most: Regions after which to give up.
    """
    field = factorer.space
    tree = Branch(Region())
    todo, count = [tree], 0
    while todo:
        branch = todo.pop()
        region, count = branch.region, count + 1
        if count > most:
            return Failure(f"more than {most} regions")
        converter = branch.converter = Converter(program, factorer, region)
        more = plain_contradiction(converter) or carried(converter)
        if isinstance(more, Contradiction):
            branch.factor = more.poly
            continue
        if not isinstance(more, Region):
            todo += branch.split(field, more, (frozenset((0,)),))
            continue
        if more is not region:
            region = branch.region = more
            converter = branch.converter = Converter(program, factorer, region)
        try:
            branch.values = tuple(goal(converter))
        except NeedSplit as asked:
            split = _real_first(converter, asked)
            todo += branch.split(field, split.factor, split.parts)
        except NoProof as error:
            empty = contradiction(converter)
            if empty is not None:
                branch.factor, branch.summands = empty.poly, empty.summands
                continue
            place = " and ".join(region.conditions(field))
            return Failure(f"{error} where {place}" if place else str(error), converter)
    return tree


def _real_first(converter: Converter, split: NeedSplit) -> NeedSplit:
    """Return a split that comes before another: whether the roots in its factor are real."""
    space, signs = converter.space, converter.signs
    for index in space.occurring(split.factor):
        if not space.generators[index].degree:
            continue
        radicand = converter.settled(space.generators[index].radicand)
        if not radicand or signs.known(radicand) <= {0, 1}:
            continue
        for base, exponent in signs.factorer.factor(radicand).powers:
            found = signs.of_factor(base)
            if exponent % 2 and not (found <= {0, 1} or found <= {0, -1}):
                return _real_first(converter, NeedSplit(base, (found & {0, 1}, found & {-1})))
    return split


def same_arguments(
    program: Program, factorer: Factorer, left: Tree, right: Tree, either: bool
) -> Branch | None:
    """Return the regions in which two arguments of a norm or a mean are equal, all of the domain.

    Args:
        program: What names stand for.
        factorer: Factors polynomials of the field.
        left: An argument.
        right: Another.
        either: Whether they may be opposite, too.
    """

    def goal(converter: Converter) -> list[tuple[str, Quotient]]:
        try:
            a, b = converter.convert(left), converter.convert(right)
        except UndefinedEverywhere:
            return []  # such an element leaves one of both without a value
        f = converter.space
        ways = ((a, b), (a, f.negate(b))) if either else ((a, b),)
        if not any(x == y for x, y in ways):
            gaps = (f.product(x.numer, y.denom) - f.product(y.numer, x.denom) for x, y in ways)
            if not any(converter.signs.vanishes(f.reduce(gap)) for gap in gaps):
                raise NoProof("the arguments differ")
        return [("argument", a)]

    try:
        found = grow(goal, program, factorer, _MOST_FOR_ARGUMENTS)
    except NegativeExponent:
        if not program.from_one:
            raise
        return None
    except Unsupported:
        return None
    return None if isinstance(found, Failure) else found
