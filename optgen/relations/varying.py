"""Maps under which hyperparameters of the second rule change with the step.

Some rules are one another only under a schedule: a bias-corrected average is
heavy ball with `lr*(1 - beta1)/(1 - beta1**step)`. The number of the step and
powers such as `beta1**step` count as known here, and all else is sought at once:
first what the states say, then what the parameter says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import sympy

from optgen.domains import POSITIVE, REAL, STEP, Domain
from optgen.relations.maps import Pair, RunMap
from optgen.relations.proving import step_equations
from optgen.relations.refuting import PRIME, sought
from optgen.relations.search import ansaetze
from optgen.relations.solving import solutions
from optgen.relations.systems import Roles, Split, System, systems
from optgen.spec import OptimizerSpec
from optgen.symbols import step, symbol
from optgen.verify.deadline import Deadline
from optgen.verify.proof import Equation
from optgen.verify.serialise import Tree
from optgen.verify.verdicts import Unsupported

_LATER = replace(STEP, low=Fraction(2))
Values = Mapping[sympy.Symbol, sympy.Expr]


def varying_maps(pair: Pair, deadline: Deadline) -> Iterator[RunMap]:
    """Yield maps in which a hyperparameter of the second rule depends on the step.

    The map of the states does not: it is the same before a step and behind it.
    """
    if _speaks_of_step(pair.a) == _speaks_of_step(pair.b):
        return  # there is nothing to make up for
    values = sought(pair)
    dense, *diagonal = ansaetze(pair, values, pair.reaching(values))
    for ansatz, entries, _ in (*diagonal, dense):
        for known in _from_states(pair, ansatz, entries, deadline):
            for solved in _from_all(pair, ansatz, entries, known, deadline):
                found = _filled(pair, ansatz, solved)
                if found is not None and _depends_rightly(found):
                    yield found


def _speaks_of_step(spec: OptimizerSpec) -> bool:
    return any(a.value.has(step) for a in spec.rule)


def _from_states(
    pair: Pair, ansatz: RunMap, entries: tuple[str, ...], deadline: Deadline
) -> Iterator[Values]:
    """Solve the equations that have a polynomial form, whatever the unknowns are."""
    equations, definitions = step_equations(pair, ansatz)
    system: System | None = None
    for equation in equations:
        try:
            found = _system(pair, [equation], definitions, entries, deadline)
        except (Split, Unsupported):
            continue
        system = found if system is None else system.joined(found)
    if system is None:
        return
    for solution in solutions(system, deadline):
        yield {symbol(n): v for n, v in solution.items()}


def _from_all(
    pair: Pair, ansatz: RunMap, entries: tuple[str, ...], known: Values, deadline: Deadline
) -> Iterator[Values]:
    """Put in what the states say, and solve all equations."""
    equations, definitions = step_equations(pair, _put(ansatz, known))
    try:
        system = _system(pair, equations, definitions, entries, deadline)
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
    deadline: Deadline,
) -> System:
    free = (*pair.inputs, "param", *(b.name for b in pair.a.state))
    base: dict[str, Domain] = {**pair.base, str(step): _LATER}
    primes = tuple(h.name + PRIME for h in pair.b.hyperparameters if h.name not in pair.fixed)
    domains: dict[str, Domain] = {**dict.fromkeys(free, POSITIVE), **base}
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


def _depends_rightly(found: RunMap) -> bool:
    """Whether a hyperparameter depends on the step, and the map of the states does not."""
    states = (*found.states.values(), found.param)
    scheduled = any(v.has(step) for v in found.hyperparameters.values())
    return scheduled and not any(v.has(step) for v in states)
