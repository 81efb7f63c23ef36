"""Runs from the initial states that no hyperparameters of the second rule can follow.

The points at which the first gradients are taken are compared. That speaks of
no map of states at all: where it finds a contradiction, there is no map of any
form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

import sympy

from optgen.domains import POSITIVE, Domain
from optgen.relations.certificate import Part, Refutation, refute
from optgen.relations.maps import Pair
from optgen.relations.polynomials import systems
from optgen.relations.systems import Roles, Split, System
from optgen.relations.trajectory import Course, Start, course
from optgen.symbols import symbol
from optgen.verify.deadline import Deadline
from optgen.verify.proof import Equation, Failure, prove_signs
from optgen.verify.serialise import Tree, names
from optgen.verify.verdicts import Unsupported

PRIME = "'"
"""What the names of sought hyperparameters end in."""
_MOST_PARTS = 16
_MOST_STARTS = 8


def sought(pair: Pair) -> dict[str, sympy.Expr]:
    """Return, for each hyperparameter of the second rule, its given value or its unknown."""
    return {h.name: pair.fixed.get(h.name, symbol(h.name + PRIME)) for h in pair.b.hyperparameters}


@dataclass(frozen=True, slots=True)
class Family:
    """Runs with some signs of the parameter and of the gradients.

    Attributes:
        start: What the runs are given, over free positive variables.
        free: Those variables.
        words: Which runs these are, for people.
    """

    start: Start
    free: tuple[str, ...]
    words: str

    @classmethod
    def of(cls, pair: Pair, signs: Sequence[int]) -> Family:
        """Return the runs whose parameter and gradients have the signs given."""
        free = ["param"]
        grads: list[Tree] = []
        inputs: list[dict[str, Tree]] = []
        for k in range(1, len(signs)):
            grads.append(_signed(f"grad{k}", signs[k]))
            free.append(f"grad{k}")
            others = {name: f"{name}{k}" for name in pair.inputs[1:]}
            free += others.values()
            inputs.append({name: ("name", own) for name, own in others.items()})
        names_given = ("param", *(f"grad{k}" for k in range(1, len(signs))))
        words = ", ".join(
            name if sign > 0 else f"-{name}" for name, sign in zip(names_given, signs, strict=True)
        )
        start = Start(_signed("param", signs[0]), tuple(grads), tuple(inputs))
        return cls(start, tuple(free), words)

    @classmethod
    def point(cls, pair: Pair, numbers: Sequence[int]) -> Family | None:
        """Return one run: the parameter and the gradients are numbers."""
        if len(pair.inputs) > 1:
            return None
        values: list[Tree] = [("number", Fraction(n)) for n in numbers]
        return cls(Start(values[0], tuple(values[1:])), (), ", ".join(map(str, numbers)))


def _signed(name: str, sign: int) -> Tree:
    return ("name", name) if sign > 0 else ("mul", ("number", Fraction(-1)), ("name", name))


def trajectory_systems(
    pair: Pair, family: Family, deadline: Deadline, *, strict: bool = False
) -> list[System]:
    """Return what the unknowns must fulfil for the runs of a family, by region.

    Raises:
        Split: The family must be divided by a sign.
        Unsupported: There is no polynomial form.
    """
    steps = family.start.steps
    unknown = sought(pair)
    a = course("left", pair.a, [pair.values] * (steps + 1), family.start)
    b = course("right", pair.b, [unknown] * (steps + 1), family.start)
    equations = _query_equations(pair, a, b, family, deadline)
    domains = domains_of(pair, family.free)
    # those without an upper end come first: they are solved for where there is a choice
    hypers = sorted(pair.b.hyperparameters, key=lambda h: getattr(h.domain, "high", 0) is not None)
    names_sought = tuple(h.name + PRIME for h in hypers if h.name not in pair.fixed)
    roles = Roles(family.free, tuple(pair.base), names_sought, domains, strict=strict)
    return systems(equations, {**a.definitions, **b.definitions}, roles, deadline)


def _query_equations(
    pair: Pair, a: Course, b: Course, family: Family, deadline: Deadline
) -> list[Equation]:
    """Return the equations of all query points but the first, which says where both begin."""
    equations = [
        Equation(f"point of gradient {k} from ({family.words})", x, y)
        for k, (x, y) in enumerate(zip(a.queries, b.queries, strict=True), 1)
    ]
    for course_queries in (a.queries, b.queries):
        if not _is_start(course_queries[0], family.start.param):
            raise Unsupported("the first gradient is not taken at the parameter")
    return equations[1:]


def _is_start(query: Tree, start: Tree) -> bool:
    """Whether a first query point is the parameter, over buffers that are 0."""
    if query == start:
        return True
    if query[0] == "add":
        rest = [part for part in query[1:] if part != start]
        return len(rest) == len(query) - 2 and all(_is_zero(part) for part in rest)
    return False


def _is_zero(tree: Tree) -> bool:
    if tree[0] == "number":
        return bool(tree[1] == 0)
    return tree[0] == "mul" and any(_is_zero(part) for part in tree[1:])


def domains_of(pair: Pair, free: Sequence[str]) -> dict[str, Domain]:
    """Return the domains of a refutation: the first rule's without their ends."""
    found: dict[str, Domain] = dict.fromkeys(free, POSITIVE)
    for name, domain in pair.base.items():
        found[name] = replace(domain, low_open=True, high_open=True)
    for hyper in pair.b.hyperparameters:
        assert isinstance(hyper.domain, Domain)
        found[hyper.name + PRIME] = hyper.domain
    return found


def refute_families(
    pair: Pair,
    families: Sequence[Family],
    deadline: Deadline,
    *,
    strict: bool = False,
    begin: list[System] | None = None,
) -> Iterator[list[System]]:
    """Yield the equations of more and more families, joined: each time all regions.

    A family that has no polynomial form is left out; one that falls into parts by a sign
    is divided, as far as each part is sure to hold runs.
    """
    todo = list(families)
    joined = begin
    count = 0
    while todo and count < _MOST_STARTS + len(families):
        deadline.check()
        family = todo.pop(0)
        count += 1
        try:
            found = trajectory_systems(pair, family, deadline, strict=strict)
        except Split as split:
            todo = [*_divided(pair, family, split, deadline), *todo]
            continue
        except Unsupported:
            continue
        both = found if joined is None else [a.joined(b) for a, b in product(joined, found)]
        if len(both) > _MOST_PARTS:
            continue
        joined = both
        yield joined


def _divided(pair: Pair, family: Family, split: Split, deadline: Deadline) -> list[Family]:
    """Return families in which the polynomial of a split is a free variable, or minus one.

    A variable x with `polynomial = a*x + rest` becomes `(+-new - rest)/a`, if that is
    sure to be positive: then the family holds runs for all hyperparameters.
    """
    found: list[Family] = []
    new = f"part{len(family.free)}"
    for name in family.free:
        with_it = {m: c for m, c in split.terms.items() if any(n == name for n, _ in m)}
        if not with_it or any((name, 1) not in m for m in with_it):
            continue
        a = _sum({tuple(p for p in m if p[0] != name): c for m, c in with_it.items()})
        if names(a) - set(pair.base):
            continue
        rest = _sum({m: -c for m, c in split.terms.items() if m not in with_it})
        for sign in (1, -1):
            inverse: Tree = ("power", a, ("number", Fraction(-1)))
            value: Tree = ("mul", ("add", _signed(new, sign), rest), inverse)
            free = (*(n for n in family.free if n != name), new)
            allowed = frozenset((1,))
            proof = prove_signs(value, allowed, domains_of(pair, free), {}, deadline)
            if not isinstance(proof, Failure):
                words = f"{family.words}; {name} such that a sign is {'+' if sign > 0 else '-'}"
                found.append(Family(family.start.replaced(name, value), free, words))
    return found


def _sum(terms: Mapping[tuple[tuple[str, int], ...], int]) -> Tree:
    parts: list[Tree] = [("number", Fraction(0))]
    for monomial, coefficient in terms.items():
        factors: list[Tree] = [("number", Fraction(coefficient))]
        factors += [("power", ("name", n), ("number", Fraction(p))) for n, p in monomial]
        parts.append(("mul", *factors, ("number", Fraction(1))))
    return ("add", *parts, ("number", Fraction(0)))


def refutation(
    pair: Pair, found: Sequence[System], steps: int, deadline: Deadline, at: Mapping[str, str]
) -> Refutation | None:
    """Prove that no region has a solution, or return None if one may have one."""
    parts: list[Part] = []
    for system in found:
        part = refute(system, deadline)
        if part is None:
            return None
        parts.append(part)
    unknown = tuple(h.name + PRIME for h in pair.b.hyperparameters if h.name not in pair.fixed)
    return Refutation(unknown, tuple(pair.base), dict(at), tuple(parts), steps)


_NUMBERS: Mapping[str, str] = {
    "beta1": "1/2",
    "beta2": "3/4",
    "alpha": "3/4",
    "momentum": "1/2",
    "lr": "1/2",
}
_USUAL = ("1", "1/2", "3/4", "2", "1/4")


def numbers_for(pair: Pair) -> dict[str, sympy.Rational]:
    """Return numbers inside the domains of the base, such that few roots remain."""
    found: dict[str, sympy.Rational] = {}
    for name, domain in pair.base.items():
        inner = replace(domain, low_open=True, high_open=True)
        choices = (*((_NUMBERS[name],) if name in _NUMBERS else ()), *_USUAL)
        inside = [c for c in choices if Fraction(c) in inner]
        if not inside:
            raise Unsupported(f"no simple number lies inside {domain}")
        found[name] = sympy.Rational(inside[0])
    values = pair.at(found).values
    for hyper in pair.a.hyperparameters:
        assert isinstance(hyper.domain, Domain)
        value = values[hyper.name]
        if not value.is_Rational or Fraction(str(value)) not in hyper.domain:
            raise Unsupported(f"{hyper.name} leaves its domain at simple numbers")
    return found


POINTS: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((0, 1, -1),),
    ((0, 1, 1),),
    ((0, 1, 0),),
    ((0, 1, -1), (0, 1, 0)),
    ((0, 1, -1), (0, 1, 0), (0, 1, 2, 0)),
    ((0, 1, 0), (0, 1, 1), (0, 1, -1)),
    ((1, 1, -1), (1, 1, 0), (1, 1, 2, 0)),
)
"""Runs tried with numbers: the parameter, then the gradients; each row is tried by itself."""
