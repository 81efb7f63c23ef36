"""Searches maps: hyperparameters from the first steps of runs, then states by a linear ansatz."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import permutations

import sympy

from optgen.domains import POSITIVE, REAL, STEP, Domain
from optgen.relations.maps import Pair, RunMap
from optgen.relations.polynomials import systems
from optgen.relations.proving import step_equations
from optgen.relations.refuting import PRIME, sought
from optgen.relations.solving import solutions
from optgen.relations.systems import Roles, Split, System
from optgen.symbols import param, symbol
from optgen.verify.deadline import Deadline
from optgen.verify.proof import Equation
from optgen.verify.serialise import serialise
from optgen.verify.verdicts import Unsupported

_MOST_ASSIGNMENTS = 24
_LATER = replace(STEP, low=Fraction(2))


def by_name(pair: Pair) -> RunMap | None:
    """Return the map of everything to what has its name, if everything has."""
    own = set(pair.values)
    if not all(h.name in own or h.name in pair.fixed for h in pair.b.hyperparameters):
        return None
    values = {
        h.name: pair.fixed.get(h.name, pair.values.get(h.name)) for h in pair.b.hyperparameters
    }
    return named_states(pair, {name: v for name, v in values.items() if v is not None})


def named_states(pair: Pair, values: Mapping[str, sympy.Expr]) -> RunMap | None:
    """Return the map that takes every state to that of its name, if there is one."""
    shapes = {b.name: b.shape for b in pair.a.state}
    wanted = {b.name: b.shape for b in pair.b.state}
    reaching = pair.reaching(values)
    if any(shapes.get(name) != wanted[name] for name in reaching):
        return None
    return RunMap(dict(values), {name: symbol(name) for name in reaching})


def hyperparameters(
    pair: Pair, found: Sequence[System], deadline: Deadline
) -> Iterator[dict[str, sympy.Expr]]:
    """Yield values for the hyperparameters of the second rule that solve a system.

    One that the system leaves free gets the value of the same name, or else 0 or its default.
    """
    seen: list[dict[str, sympy.Expr]] = []
    for system in found:
        for solution in solutions(system, deadline):
            for values in _filled(pair, solution):
                if values not in seen:
                    seen.append(values)
                    yield values


def _filled(pair: Pair, solution: Mapping[str, sympy.Expr]) -> Iterator[dict[str, sympy.Expr]]:
    for neutral in (True, False):
        free: dict[sympy.Symbol, sympy.Expr] = {}
        for hyper in pair.b.hyperparameters:
            unknown = symbol(hyper.name + PRIME)
            if hyper.name in pair.fixed or unknown.name in solution:
                continue
            assert isinstance(hyper.domain, Domain)
            zero = neutral and 0 in hyper.domain
            other = sympy.Integer(0) if zero else sympy.Rational(str(hyper.default))
            free[unknown] = pair.values.get(hyper.name, other)
        values = {}
        for name, value in sought(pair).items():
            value = solution.get(str(value), value) if value.is_Symbol else value
            values[name] = sympy.sympify(value).subs(free)
        if not any(v.has(sympy.nan, sympy.zoo) for v in values.values()):
            yield values


def maps(pair: Pair, values: Mapping[str, sympy.Expr], deadline: Deadline) -> Iterator[RunMap]:
    """Yield maps with these hyperparameters: by name, then dense, then state by state."""
    same = named_states(pair, values)
    if same is not None:
        yield same
    reaching = pair.reaching(values)
    seen = [same]
    for ansatz, unknown, partial in ansaetze(pair, values, reaching):
        for initial in (True, False):
            for states in _solved(pair, ansatz, unknown, initial, partial, deadline):
                if states not in seen:
                    seen.append(states)
                    yield states


def ansaetze(
    pair: Pair, values: Mapping[str, sympy.Expr], reaching: tuple[str, ...]
) -> Iterator[tuple[RunMap, tuple[str, ...], bool]]:
    """Yield maps with unknown entries: every state in every row; one state in each row."""
    yield *dense(pair, values, reaching), False
    shapes = {b.name: b.shape for b in (*pair.a.state, *pair.b.state)}
    own = [(b.name, b.shape) for b in pair.a.state]
    count = 0
    if len(reaching) > len(own):
        return
    for chosen in permutations(own, len(reaching)):
        if any(shape != shapes[b] for b, (_, shape) in zip(reaching, chosen, strict=True)):
            continue
        count += 1
        if count > _MOST_ASSIGNMENTS:
            return
        scales = {b: f"{b}__{a}" for b, (a, _) in zip(reaching, chosen, strict=True)}
        rows = {
            b: symbol(scales[b]) * symbol(a) for b, (a, _) in zip(reaching, chosen, strict=True)
        }
        yield RunMap(dict(values), rows), tuple(scales.values()), True


def dense(
    pair: Pair, values: Mapping[str, sympy.Expr], reaching: tuple[str, ...]
) -> tuple[RunMap, tuple[str, ...]]:
    """Return the map in which every state may stand in every row, and its unknown entries.

    A row of one shape holds states of that shape, and the parameter; the parameter on the
    right is that on the left plus states.
    """
    shapes = {b.name: b.shape for b in pair.b.state}
    unknown: list[str] = []

    def row(name: str, of: str) -> sympy.Expr:
        own = [(b.name, b.shape) for b in pair.a.state]
        own += [("param", "param")] if name != "param" else []
        total = sympy.Integer(0)
        for state, shape in own:
            if shape == of:
                unknown.append(f"{name}__{state}")
                total += symbol(unknown[-1]) * symbol(state)
        return total

    states = {name: row(name, shapes[name]) for name in reaching}
    return RunMap(dict(values), states, param + row("param", "param")), tuple(unknown)


def _solved(
    pair: Pair,
    ansatz: RunMap,
    unknown: tuple[str, ...],
    initial: bool,
    partial: bool,
    deadline: Deadline,
) -> Iterator[RunMap]:
    """Yield solutions of an ansatz; partial: equations without a polynomial form are left out."""
    equations, definitions = step_equations(pair, ansatz)
    if initial:
        equations += _starts(pair, ansatz)
    free = (*pair.inputs, "param", *(b.name for b in pair.a.state), "step")
    domains: dict[str, Domain] = {**dict.fromkeys(free, POSITIVE), **pair.base, "step": _LATER}
    domains |= dict.fromkeys(unknown, REAL)
    roles = Roles(free, tuple(pair.base), unknown, domains, free_roots=True)
    system: System | None = None
    for group in [[e] for e in equations] if partial else [equations]:
        try:
            found = systems(group, definitions, roles, deadline)
        except (Split, Unsupported):
            if not partial:
                return
            continue
        system = found[0] if system is None else system.joined(found[0])
    if system is None:
        return
    try:
        solved = solutions(system, deadline)
    except Unsupported:
        return
    rest = sympy.Integer(1 if partial else 0)
    for solution in solved:
        known = {symbol(n): solution.get(n, rest) for n in unknown}
        free_entries = {symbol(n): rest for n in unknown if n not in solution}
        known = {s: sympy.sympify(v).subs(free_entries) for s, v in known.items()}
        states = {name: value.subs(known) for name, value in ansatz.states.items()}
        yield RunMap(ansatz.hyperparameters, states, ansatz.param.subs(known))


def _starts(pair: Pair, ansatz: RunMap) -> list[Equation]:
    """Return that the map takes the initial states to the initial states, for every parameter."""
    equations = []
    for buffer in pair.b.state:
        if buffer.name in ansatz.states:
            value = pair.initial(ansatz.states[buffer.name])
            start = sympy.Rational(str(buffer.initial))
            equations.append(
                Equation(f"the start of {buffer.name}", serialise(value), serialise(start))
            )
    return equations
