"""Proves two expressions equal: the same normal form in every region of the domain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optgen.checker import KIND, VERSION, Rejected, check
from optgen.domains import REAL, Domain
from optgen.verify.certificate.statement import Equation as Equation
from optgen.verify.certificate.statement import state
from optgen.verify.certificate.writer import Writer
from optgen.verify.deadline import Deadline, OutOfTime
from optgen.verify.normal.branches import Branch
from optgen.verify.normal.convert import Converter, Program
from optgen.verify.normal.factors import Factorer
from optgen.verify.normal.field import Field, MoreGenerators, Quotient, UndefinedEverywhere
from optgen.verify.normal.growing import Failure as Failure
from optgen.verify.normal.growing import Goal, NoProof, grow, same_arguments
from optgen.verify.normal.powers import NegativeExponent
from optgen.verify.normal.regions import Region
from optgen.verify.normal.structure import signs_as_written
from optgen.verify.serialise import Tree, names
from optgen.verify.verdicts import Certificate, RegionProof, Unsupported

_MOST_GENERATORS = 40

Write = Callable[[Branch, Converter], dict[str, Any]]
"""Writes a finished proof down; the converter is one of the whole domain."""


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
    valued: set[str] = set()
    nowhere: dict[str, str] = {}

    def goal(converter: Converter) -> list[tuple[str, Quotient]]:
        values = []
        for equation in equations:
            try:
                a, b = converter.convert(equation.left), converter.convert(equation.right)
            except UndefinedEverywhere as error:
                if not converter.region.is_face:
                    nowhere.setdefault(equation.label, str(error))
                continue  # one side has no value in this region: nothing is claimed there
            valued.add(equation.label)
            f = converter.space
            if a != b:
                difference = f.product(a.numer, b.denom) - f.product(b.numer, a.denom)
                if not converter.signs.vanishes(f.reduce(difference)):
                    raise NoProof(f"the normal forms of {equation.label} differ")
            values.append((equation.label, a))
        return values

    trees = tuple(tree for e in equations for tree in (e.left, e.right))
    statement, table = state(equations, domains, definitions)

    def write(tree: Branch, everywhere: Converter) -> dict[str, Any]:
        for label in nowhere:
            if label not in valued:  # equal for want of a point to differ at: that is no answer
                raise Unsupported(f"{label} has a value nowhere on one side: {nowhere[label]}")
        writer = Writer(statement, table, everywhere.signs.factorer)
        written = {"statement": statement, "proof": writer.write(tree, everywhere)}
        found = check({"kind": KIND, "version": VERSION, "proofs": [written]}, [statement])
        if isinstance(found, Rejected):
            raise Unsupported(f"the certificate of the proof was rejected: {found.reason}")
        return written

    return _everywhere(goal, trees, domains, definitions, deadline, write)


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
            raise NoProof("the sign is not known")
        return [("value", converter.convert(tree))]

    return _everywhere(goal, (tree,), domains, definitions, deadline)


def _everywhere(
    goal: Goal,
    trees: tuple[Tree, ...],
    domains: Mapping[str, Domain],
    definitions: Mapping[str, Tree],
    deadline: Deadline,
    write: Write | None = None,
) -> Certificate | Failure:
    variables = _variables(trees, definitions)
    spare, from_one = 8, False
    while True:
        ends = [domains.get(v, REAL) for v in variables]
        field = Field(variables, ends, spare, deadline)
        index = {name: i for i, name in enumerate(variables)}
        program = Program(definitions, index, from_one, same_arguments)
        try:
            return _in_every_region(goal, program, field, write)
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


def _in_every_region(
    goal: Goal, program: Program, field: Field, write: Write | None
) -> Certificate | Failure:
    factorer = Factorer(field)
    tree = grow(goal, program, factorer)
    if isinstance(tree, Failure):
        return tree
    proofs = []
    for branch in tree.all():
        if branch.values is not None:
            texts = [
                (label, field.text(v.numer), field.text(v.denom)) for label, v in branch.values
            ]
            proofs.append(RegionProof(branch.region.conditions(field), tuple(texts)))
    document = write(tree, Converter(program, factorer, Region())) if write else None
    used = field.generators[len(program.variables) :]
    labels = tuple(
        (str(field.ring.symbols[len(program.variables) + i]), g.label) for i, g in enumerate(used)
    )
    ends = tuple((g.label, str(g.domain)) for g in field.generators[: len(program.variables)])
    return Certificate(labels, ends, tuple(proofs), () if document is None else (document,))
