"""Runs a map on exact numbers, with the evaluator that shares nothing with the prover."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from optgen.domains import REAL, Domain
from optgen.relations.maps import Pair, RunMap
from optgen.spec import OptimizerSpec
from optgen.verify import evaluate as independent
from optgen.verify.deadline import Deadline
from optgen.verify.runs import QUERY, apart
from optgen.verify.sampling import sample
from optgen.verify.serialise import Tree, holds, serialise
from optgen.verify.show import show_interval

_BITS = (128, 512)
_ATTEMPTS = 60
Values = independent.Values


@dataclass(frozen=True, slots=True)
class Parting:
    """A run of the first rule that the map does not take to a run of the second.

    Attributes:
        step: The number of the step at which they part.
        what: What differs there.
        left: Its value from the first rule.
        right: Its value from the second.
        point: What was chosen: hyperparameters (by step where they change) and gradients.
    """

    step: int
    what: str
    left: str
    right: str
    point: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Runs:
    """What some runs have shown.

    Attributes:
        agreed: How many runs agreed in every query point, state and parameter.
        parting: The first run that did not.
    """

    agreed: int
    parting: Parting | None


def run_both(
    pair: Pair,
    found: RunMap,
    deadline: Deadline,
    *,
    changing: Sequence[str] = (),
    wanted: int = 3,
    steps: int = 4,
    later_only: bool = False,
    queries_only: bool = False,
) -> Runs:
    """Run both rules from their initial states, on the same gradients.

    Args:
        pair: The rules.
        found: The map.
        deadline: When to give up.
        changing: Hyperparameters of the first rule that have another value at each step.
        wanted: How many runs with a value are wanted.
        steps: How many steps a run has.
        later_only: Whether the states correspond from the end of the first step on.
        queries_only: Whether only the points at which gradients are taken are looked at.
    """
    rng = random.Random(0)
    trees = [serialise(a.value) for spec in (pair.a, pair.b) for a in spec.rule]
    size = 2 if any(holds(tree, ("norm", "mean")) for tree in trees) else 1
    agreed = 0
    for attempt in range(_ATTEMPTS):
        deadline.check()
        choice = _choose(pair, changing, steps, size, rng, attempt)
        for bits in _BITS:
            try:
                parting = _one(pair, found, choice, steps, size, bits, not later_only, queries_only)
            except independent.Unclear:
                continue
            except independent.NoValue:
                break
            if parting is not None:
                return Runs(agreed, parting)
            agreed += 1
            break
        if agreed >= wanted:
            break
    return Runs(agreed, None)


Choice = tuple[dict[str, Fraction], ...]
"""What is chosen for each step: the base, gradients and inputs, by element; the parameter first."""


def _choose(
    pair: Pair, changing: Sequence[str], steps: int, size: int, rng: random.Random, attempt: int
) -> Choice:
    given = ("grad", *(str(s.name) for s in pair.a.inputs))
    constant = sample(dict(pair.base), rng, attempt)
    found: list[dict[str, Fraction]] = []
    for k in range(steps):
        wanted: dict[str, Domain] = {
            f"{name}[{i}]": REAL
            for name in (*given, *(("param",) if k == 0 else ()))
            for i in range(size)
        }
        changed = {name: pair.base[name] for name in changing}
        found.append({**constant, **sample({**wanted, **changed}, rng, attempt)})
    return tuple(found)


def _one(
    pair: Pair,
    found: RunMap,
    choice: Choice,
    steps: int,
    size: int,
    bits: int,
    from_start: bool,
    queries_only: bool,
) -> Parting | None:
    """Run both rules once; return where they part."""
    given = ("grad", *(str(s.name) for s in pair.a.inputs))
    lines = [_lines(pair.a), _lines(pair.b)]
    numbers = {b.name: (independent.exact(Fraction(b.initial)),) * size for b in pair.a.state}
    known_a: list[dict[str, Values]] = []
    known_b: list[dict[str, Values]] = []
    states_a: list[dict[str, Values]] = []
    for k in range(1, steps + 1):
        chosen = choice[k - 1]
        env: dict[str, Values] = {n: (independent.exact(chosen[n]),) * size for n in pair.base}
        env["step"] = (independent.exact(k),) * size
        for name in given:
            env[name] = tuple(independent.exact(chosen[f"{name}[{i}]"]) for i in range(size))
        env["param"] = tuple(independent.exact(choice[0][f"param[{i}]"]) for i in range(size))
        first: dict[str, Values] = dict(numbers) if k == 1 else {}
        if k == 1:
            first["param"] = env["param"]
        step_a = {n: env[n] for n in ("step", *given)}
        step_b = dict(step_a)
        for name, value in pair.values.items():
            step_a[name] = independent.evaluate(serialise(value), env, bits)
        for name, value in found.hyperparameters.items():
            step_b[name] = independent.evaluate(serialise(value), env, bits)
        if not (_inside(pair.a, step_a) and _inside(pair.b, step_b)):
            raise independent.NoValue("a hyperparameter leaves its domain")
        known_a.append({**first, **step_a})
        if k == 1:
            at = {**env, **numbers}
            start = {b.name: (independent.exact(Fraction(b.initial)),) * size for b in pair.b.state}
            start["param"] = independent.evaluate(serialise(found.param), at, bits)
            step_b |= start
        known_b.append(step_b)
        states_a.append(env)
    traces = [
        independent.run(line, known, bits)
        for line, known in zip(lines, (known_a, known_b), strict=True)
    ]
    latest_a: dict[str, Values] = {**numbers, "param": states_a[0]["param"]}
    latest_b: dict[str, Values] = dict(known_b[0])
    for k in range(steps):
        queries = [dict(trace[k])[QUERY] for trace in traces]
        if apart(*queries) is not None:
            return _parting(k + 1, "the query point", queries[0], queries[1], choice, pair)
        latest_a |= dict(traces[0][k])
        latest_b |= dict(traces[1][k])
        if queries_only:
            continue
        env = {**states_a[k], **{n: latest_a[n] for n in (*numbers, "param")}}
        for name, value in {**found.states, "param": found.param}.items():
            mapped = independent.evaluate(serialise(value), env, bits)
            if apart(mapped, latest_b[name]) is not None:
                return _parting(k + 1, name, mapped, latest_b[name], choice, pair)
    return None


def _lines(spec: OptimizerSpec) -> list[tuple[str, Tree]]:
    return [(QUERY, serialise(spec.query)), *((a.name, serialise(a.value)) for a in spec.rule)]


def _inside(spec: OptimizerSpec, values: Mapping[str, Values]) -> bool:
    for hyper in spec.hyperparameters:
        domain = hyper.domain
        assert isinstance(domain, Domain)
        value = values[hyper.name][0]
        if value.low == value.high:
            if value.low not in domain:
                return False
        elif (domain.low is not None and value.low < domain.low) or (
            domain.high is not None and value.high > domain.high
        ):
            return False
    return True


def _parting(
    step: int, what: str, left: Values, right: Values, choice: Choice, pair: Pair
) -> Parting:
    point: dict[str, str] = {}
    element = apart(left, right) or 0
    for name in pair.base:
        values = [c[name] for c in choice[:step]]
        if len(set(values)) == 1:
            point[name] = str(values[0])
        else:
            point |= {f"{name}_{k}": str(v) for k, v in enumerate(values, 1)}
    for k, chosen in enumerate(choice[:step], 1):
        for name, value in chosen.items():
            if "[" in name:
                plain = name.replace("[0]", "") if f"{name[:-3]}[1]" not in chosen else name
                point[plain if plain == "param" else f"{plain}_{k}"] = str(value)
    return Parting(step, what, show_interval(left[element]), show_interval(right[element]), point)
