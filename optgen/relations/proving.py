"""Proves that a map takes every run of one rule to a run of another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import sympy

from optgen.domains import STEP, Domain
from optgen.relations.maps import Pair, RunMap
from optgen.spec import Hyperparameter
from optgen.verify.deadline import Deadline
from optgen.verify.proof import Equation, Failure, prove_equal, prove_signs
from optgen.verify.runs.sides import Side, Step, rename
from optgen.verify.serialise import Tree, serialise

EVERY = "every step from every state, and the initial states correspond"
FIRST = "the first step from the initial states, and every later step from every state"


@dataclass(frozen=True, slots=True)
class Proof:
    """A map that was proved.

    Attributes:
        how: For which steps it was proved at once.
        later_only: Whether the states correspond from the end of the first step on.
        regions: In how many regions.
        conditions: Where the map has a value inside the domains of the second rule, if that
            is not everywhere in the domains of the first.
    """

    how: str
    later_only: bool
    regions: int
    conditions: tuple[str, ...]


def prove(
    pair: Pair, found: RunMap, domains: Mapping[str, Domain], deadline: Deadline
) -> Proof | Failure:
    """Prove a map for all hyperparameters, gradients and numbers of steps.

    One step of the first rule, mapped, is one step of the second from the mapped state;
    the gradients are taken at the same points; and so it begins.
    """
    conditions = inside(pair, found, deadline)
    if isinstance(conditions, Failure):
        return conditions
    equations, definitions = step_equations(pair, found)
    if starts_mapped(pair, found):
        proof = prove_equal(equations, domains, definitions, deadline)
        if not isinstance(proof, Failure):
            return Proof(EVERY, False, len(proof.regions), conditions)
    first, first_definitions = first_equations(pair, found)
    start = prove_equal(first, domains, first_definitions, deadline)
    if isinstance(start, Failure):
        return start
    later = {**domains, "step": replace(STEP, low=Fraction(2))}
    rest = prove_equal(equations, later, definitions, deadline)
    if isinstance(rest, Failure):
        return rest
    return Proof(FIRST, True, len(start.regions) + len(rest.regions), conditions)


def starts_mapped(pair: Pair, found: RunMap) -> bool:
    """Whether the map takes the initial states of the first rule to those of the second."""
    return all(
        pair.initial(found.states[b.name]) == sympy.Rational(str(b.initial))
        for b in pair.b.state
        if b.name in found.states
    )


def step_equations(
    pair: Pair,
    found: RunMap,
    before: Mapping[str, Tree] | None = None,
    after: Mapping[str, Tree] | None = None,
) -> tuple[list[Equation], dict[str, Tree]]:
    """Return what one step must fulfil, from any state.

    Args:
        pair: The rules.
        found: The map.
        before: Other names of hyperparameters where the map is used before the step.
        after: The same for the map behind the step.
    """
    left = pair.left.step({})
    start = {name: rename(serialise(value), before or {}) for name, value in found.states.items()}
    start["param"] = rename(serialise(found.param), before or {})
    right = _right(pair, found).step(_unread(pair, found) | start)
    return _equations(pair, found, left, right, after or {})


def first_equations(
    pair: Pair, found: RunMap, after: Mapping[str, Tree] | None = None
) -> tuple[list[Equation], dict[str, Tree]]:
    """Return what the first step must fulfil, from the initial states.

    Args:
        pair: The rules.
        found: The map.
        after: Other names of hyperparameters where the map is used behind the step.
    """
    one: Tree = ("number", Fraction(1))
    numbers: dict[str, Tree] = {b.name: ("number", Fraction(b.initial)) for b in pair.a.state}
    left = pair.left.step({"step": one, **numbers})
    start: dict[str, Tree] = {b.name: ("number", Fraction(b.initial)) for b in pair.b.state}
    start["param"] = rename(serialise(found.param), numbers)
    right = _right(pair, found).step({"step": one, **start})
    return _equations(pair, found, left, right, after or {})


def _right(pair: Pair, found: RunMap) -> Side:
    return Side.of("right", pair.b, found.hyperparameters)


def _unread(pair: Pair, found: RunMap) -> dict[str, Tree]:
    """Name the states of the second rule that reach nothing; no equation speaks of them."""
    return {b.name: ("name", f"right.{b.name}") for b in pair.b.state if b.name not in found.states}


def _equations(
    pair: Pair, found: RunMap, left: Step, right: Step, after: Mapping[str, Tree]
) -> tuple[list[Equation], dict[str, Tree]]:
    behind = {b.name: left.value(b.name) for b in pair.a.state}
    behind["param"] = left.value("param")
    mapped = {**after, **behind}
    equations = [
        Equation("the query point", left.query, right.query),
        Equation("param", rename(serialise(found.param), mapped), right.value("param")),
    ]
    equations += [
        Equation(name, rename(serialise(value), mapped), right.value(name))
        for name, value in found.states.items()
    ]
    return equations, {**left.definitions, **right.definitions}


def outside(pair: Pair, found: RunMap) -> bool:
    """Whether a hyperparameter is a number outside its domain: such a map need not be tried."""
    for hyper in pair.b.hyperparameters:
        value, domain = found.hyperparameters[hyper.name], hyper.domain
        assert isinstance(domain, Domain)
        if value.is_Rational and Fraction(int(value.p), int(value.q)) not in domain:
            return True
    return False


def inside(pair: Pair, found: RunMap, deadline: Deadline) -> tuple[str, ...] | Failure:
    """Return where the map has values inside the domains, if that is not everywhere.

    It must have them wherever no hyperparameter of the first rule is at an end of its
    domain and no denominator is 0; what holds only so far is returned as conditions.
    """
    ends = {**pair.base, "step": STEP}
    opened = {name: replace(d, low_open=True, high_open=True) for name, d in pair.base.items()}
    inner = {**opened, "step": STEP}
    conditions: list[str] = []
    values = (*found.hyperparameters.values(), *found.states.values(), found.param)
    for value in values:
        if value.has(sympy.zoo, sympy.nan, sympy.oo):
            return Failure(f"{value} has no value")
        for factor in _denominators(value):
            if not _has_sign(factor, frozenset((1, -1)), ends, deadline):
                conditions.append(f"{factor} != 0")
    integers = {h.symbol for h in pair.a.hyperparameters if _domain(h).integer}
    for hyper in pair.b.hyperparameters:
        value, domain = found.hyperparameters[hyper.name], _domain(hyper)
        if domain.integer and not value.is_Integer and value not in integers:
            return Failure(f"{hyper.name} is an integer, and its value need not be one")
        for end, is_open, direction in (
            (domain.low, domain.low_open, 1),
            (domain.high, domain.high_open, -1),
        ):
            if end is None:
                continue
            gap = value - sympy.Rational(str(end))
            allowed = frozenset((direction,) if is_open else (0, direction))
            if _has_sign(gap, allowed, ends, deadline):
                continue
            if not _has_sign(gap, allowed, inner, deadline):
                return Failure(f"{hyper.name} = {value} may lie outside {domain}")
            conditions.append(f"{hyper.name} = {value} lies in {domain}")
    return tuple(dict.fromkeys(conditions))


def _domain(hyper: Hyperparameter) -> Domain:
    assert isinstance(hyper.domain, Domain)
    return hyper.domain


def _has_sign(
    value: sympy.Expr, allowed: frozenset[int], domains: Mapping[str, Domain], deadline: Deadline
) -> bool:
    if value.is_Rational:
        return int(sympy.sign(value)) in allowed
    proof = prove_signs(serialise(value), allowed, domains, {}, deadline)
    return not isinstance(proof, Failure)


def _denominators(value: sympy.Expr) -> list[sympy.Expr]:
    denominator = sympy.fraction(sympy.together(value))[1]
    factors = sympy.Mul.make_args(sympy.factor(denominator))
    return [f.as_base_exp()[0] for f in factors if not f.is_Rational]
