"""Searches states and hyperparameters at once, from one step.

First what the states' equations say, then what is left of all equations. With
`follow` the number of the step and powers such as `beta1**step` count as known,
so that hyperparameters of the second rule may follow the step: a bias-corrected
average is heavy ball with `lr*(1 - beta1)/(1 - beta1**step)`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import sympy

from optgen.domains import POSITIVE, REAL, STEP, Domain
from optgen.relations.maps import Pair, RunMap
from optgen.relations.polynomials import systems
from optgen.relations.proving import step_equations
from optgen.relations.refuting import PRIME, sought
from optgen.relations.search import ansaetze
from optgen.relations.solving import solutions
from optgen.relations.systems import Roles, Split, System
from optgen.spec import OptimizerSpec
from optgen.symbols import step, symbol
from optgen.verify.deadline import Deadline
from optgen.verify.proof import Equation
from optgen.verify.serialise import Tree
from optgen.verify.verdicts import Unsupported

_LATER = replace(STEP, low=Fraction(2))
Values = Mapping[sympy.Symbol, sympy.Expr]


def joint_maps(pair: Pair, deadline: Deadline, *, follow: bool) -> Iterator[RunMap]:
    """Yield maps that solve the equations of one step from any state.

    Args:
        pair: The rules.
        deadline: When to give up.
        follow: Whether hyperparameters of the second rule must depend on the step, or must
            not. The map of the states does not: it is the same before a step and behind it.
    """
    if follow and _speaks_of_step(pair.a) == _speaks_of_step(pair.b):
        return  # there is nothing to make up for
    values = sought(pair)
    dense, *diagonal = ansaetze(pair, values, pair.reaching(values))
    for ansatz, entries, partial in (*diagonal, dense):
        for known in _from_states(pair, ansatz, entries, partial, follow, deadline):
            if partial and any(known.get(symbol(e)) == 0 for e in entries):
                continue  # a state that is always 0 is none that reaches the parameter
            for solved in _from_all(pair, ansatz, entries, known, follow, deadline):
                found = _filled(pair, ansatz, solved)
                if found is not None and _depends_rightly(found, follow):
                    yield found


def _speaks_of_step(spec: OptimizerSpec) -> bool:
    return any(a.value.has(step) for a in spec.rule)


def _from_states(
    pair: Pair,
    ansatz: RunMap,
    entries: tuple[str, ...],
    partial: bool,
    follow: bool,
    deadline: Deadline,
) -> Iterator[Values]:
    """Solve the equations that have a polynomial form, whatever the unknowns are.

    Not partial: all of them must have one.
    """
    equations, definitions = step_equations(pair, ansatz)
    system: System | None = None
    for equation in equations:
        try:
            found = _system(pair, [equation], definitions, entries, follow, deadline)
        except (Split, Unsupported):
            if not partial:
                return
            continue
        system = found if system is None else system.joined(found)
    if system is None:
        return
    for solution in solutions(system, deadline):
        yield {symbol(n): v for n, v in solution.items()}


def _from_all(
    pair: Pair,
    ansatz: RunMap,
    entries: tuple[str, ...],
    known: Values,
    follow: bool,
    deadline: Deadline,
) -> Iterator[Values]:
    """Put in what the states say, and solve all equations."""
    equations, definitions = step_equations(pair, _put(ansatz, known))
    try:
        system = _system(pair, equations, definitions, entries, follow, deadline)
    except (Split, Unsupported):
        return
    for solution in solutions(system, deadline):
        more = {symbol(n): v for n, v in solution.items()}
        yield {**{s: v.subs(more) for s, v in known.items()}, **more}


def _system(
    pair: Pair,
    equations: Sequence[Equation],
    definitions: Mapping[str, Tree],
    entries: tuple[str, ...],
    follow: bool,
    deadline: Deadline,
) -> System:
    free = (*pair.inputs, "param", *(b.name for b in pair.a.state))
    base: dict[str, Domain] = {**pair.base}
    if follow:
        base[str(step)] = _LATER
    else:
        free = (*free, str(step))
    primes = tuple(h.name + PRIME for h in pair.b.hyperparameters if h.name not in pair.fixed)
    domains: dict[str, Domain] = {**dict.fromkeys(free, POSITIVE), **base, str(step): _LATER}
    domains |= dict.fromkeys(entries, REAL)
    domains |= {h.name + PRIME: _inner(h.domain) for h in pair.b.hyperparameters}
    roles = Roles(free, tuple(base), (*entries, *primes), domains, free_roots=True)
    return systems(equations, definitions, roles, deadline)[0]


def _inner(domain: Domain | str) -> Domain:
    assert isinstance(domain, Domain)
    return replace(domain, low_open=True, high_open=True)


def _put(ansatz: RunMap, known: Values) -> RunMap:
    return RunMap(
        {n: sympy.sympify(v).subs(known) for n, v in ansatz.hyperparameters.items()},
        {n: v.subs(known) for n, v in ansatz.states.items()},
        ansatz.param.subs(known),
    )


def _filled(pair: Pair, ansatz: RunMap, solved: Values) -> RunMap | None:
    """Put a solution in; an entry that is left free is 0, a hyperparameter that of its name."""
    found = _put(ansatz, solved)
    rest = {h.symbol.name + PRIME: pair.values.get(h.name) for h in pair.b.hyperparameters}
    if any(
        rest.get(str(s)) is None
        for v in found.hyperparameters.values()
        for s in v.free_symbols
        if str(s).endswith(PRIME)
    ):
        return None
    names = {symbol(n): v for n, v in rest.items() if v is not None}
    entries = {
        s: sympy.Integer(0)
        for v in (*found.states.values(), found.param)
        for s in v.free_symbols
        if "__" in str(s)
    }
    return _put(found, {**names, **entries})


def _depends_rightly(found: RunMap, follow: bool) -> bool:
    """Whether hyperparameters depend on the step as wanted, and the map of the states does not."""
    states = (*found.states.values(), found.param)
    follows = any(v.has(step) for v in found.hyperparameters.values())
    return follows == follow and not any(v.has(step) for v in states)
