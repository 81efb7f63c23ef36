"""Proves that a map takes every run of one rule to a run of another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import sympy

from optgen.domains import STEP, Domain
from optgen.relations.maps import Pair, RunMap
from optgen.verify.deadline import Deadline
from optgen.verify.proof import Equation, Failure, prove_equal, prove_signs
from optgen.verify.serialise import Tree, serialise
from optgen.verify.sides import Side, Step, rename

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
    """Return where the mapped hyperparameters lie in their domains, if not everywhere."""
    conditions: list[str] = []
    domains = {**pair.base, "step": STEP}
    for value in (*found.states.values(), found.param):
        for factor in _denominators(value):
            proof = prove_signs(serialise(factor), frozenset((1, -1)), domains, {}, deadline)
            if isinstance(proof, Failure):
                conditions.append(f"{factor} != 0")
    for hyper in pair.b.hyperparameters:
        value, domain = found.hyperparameters[hyper.name], hyper.domain
        assert isinstance(domain, Domain)
        if value.has(sympy.zoo, sympy.nan, sympy.oo):
            return Failure(f"{hyper.name} has no value")
        for factor in _denominators(value):
            allowed = frozenset((1, -1))
            proof = prove_signs(serialise(factor), allowed, domains, {}, deadline)
            if isinstance(proof, Failure):
                if factor.is_number:
                    return Failure(f"{hyper.name} has no value")
                conditions.append(f"{factor} != 0")
        if domain.integer and not value.is_Integer and value not in pair_symbols(pair):
            return Failure(f"{hyper.name} is an integer, and its value need not be one")
        ends = ((domain.low, domain.low_open, 1), (domain.high, domain.high_open, -1))
        for end, is_open, direction in ends:
            if end is None:
                continue
            gap = value - sympy.Rational(str(end))
            allowed = frozenset((direction,) if is_open else (0, direction))
            if gap.is_number:
                if sympy.sign(gap) not in allowed:
                    return Failure(f"{hyper.name} = {value} lies outside {domain}")
                continue
            proof = prove_signs(serialise(gap), allowed, domains, {}, deadline)
            if isinstance(proof, Failure):
                conditions.append(f"{hyper.name} = {value} lies in {domain}")
                break
    return tuple(dict.fromkeys(conditions))


def pair_symbols(pair: Pair) -> set[sympy.Symbol]:
    """Return the integer hyperparameters of the first rule."""
    return {h.symbol for h in pair.a.hyperparameters if getattr(h.domain, "integer", False)}


def _denominators(value: sympy.Expr) -> list[sympy.Expr]:
    denominator = sympy.fraction(sympy.together(value))[1]
    factors = sympy.Mul.make_args(sympy.factor(denominator))
    return [f.as_base_exp()[0] for f in factors if not f.is_Rational]
