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
from optgen.verify.runs.traces import QUERY, apart
from optgen.verify.serialise import Tree, holds, serialise
from optgen.verify.show import show_interval
from optgen.verify.witness.sampling import sample

_BITS = (128, 512)
_ATTEMPTS = 60
_SEARCHED = 30
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
        queries_only: Whether only the points at which gradients are taken are looked at.
    """
    rng = random.Random(0)
    size = _size(pair)
    agreed = 0
    for attempt in range(_ATTEMPTS):
        deadline.check()
        choice = _choose(pair, changing, steps, size, rng, attempt)
        for bits in _BITS:
            try:
                parting = _one(pair, found, choice, steps, size, bits, queries_only)
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


def without_value(pair: Pair, found: RunMap, deadline: Deadline) -> dict[str, str] | None:
    """Look for a run of the first rule at which the second has no value, 0/0 for example.

    Gradients that are 0 throughout are among those tried.

    Returns:
        What was chosen, or None if no such run was met.
    """
    rng = random.Random(1)
    size, steps, bits = _size(pair), 2, _BITS[0]
    for attempt in range(_SEARCHED):
        deadline.check()
        choice = _choose(pair, (), steps, size, rng, attempt)
        if attempt % 6 == 0:
            for chosen in choice:
                chosen |= {f"{name}[{i}]": Fraction(0) for name in pair.inputs for i in range(size)}
        try:
            given = [_given(pair, found, choice, k, size, bits) for k in range(1, steps + 1)]
            _traces(pair, found, given, size, bits, left_only=True)
        except (independent.NoValue, independent.Unclear):
            continue
        try:
            _traces(pair, found, given, size, bits)
        except independent.NoValue:
            return _point(choice, pair)
        except independent.Unclear:
            continue
    return None


def _size(pair: Pair) -> int:
    """Return how many elements show what a rule does: two where they are reduced."""
    trees = [serialise(a.value) for spec in (pair.a, pair.b) for a in spec.rule]
    return 2 if any(holds(tree, ("norm", "mean")) for tree in trees) else 1


Choice = tuple[dict[str, Fraction], ...]
"""What is chosen for each step: the base, gradients and inputs, by element; the parameter first."""


def _choose(
    pair: Pair, changing: Sequence[str], steps: int, size: int, rng: random.Random, attempt: int
) -> Choice:
    constant = sample(dict(pair.base), rng, attempt)
    found: list[dict[str, Fraction]] = []
    for k in range(steps):
        wanted: dict[str, Domain] = {
            f"{name}[{i}]": REAL
            for name in (*pair.inputs, *(("param",) if k == 0 else ()))
            for i in range(size)
        }
        changed = {name: pair.base[name] for name in changing}
        found.append({**constant, **sample({**wanted, **changed}, rng, attempt)})
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Given:
    """What one step is given.

    Attributes:
        env: Values of the base, of `step`, the gradient and the inputs, and the parameter
            before the first step.
        left: What the first rule is told.
        right: What the second is.
    """

    env: dict[str, Values]
    left: dict[str, Values]
    right: dict[str, Values]


def _given(pair: Pair, found: RunMap, choice: Choice, k: int, size: int, bits: int) -> _Given:
    """Return what step `k` is given; raises `NoValue` where a rule's domains are left."""
    chosen = choice[k - 1]
    env: dict[str, Values] = {n: (independent.exact(chosen[n]),) * size for n in pair.base}
    env["step"] = (independent.exact(k),) * size
    for name in pair.inputs:
        env[name] = tuple(independent.exact(chosen[f"{name}[{i}]"]) for i in range(size))
    env["param"] = tuple(independent.exact(choice[0][f"param[{i}]"]) for i in range(size))
    both = {n: env[n] for n in ("step", *pair.inputs)}
    left, right = (
        {**both, **{n: independent.evaluate(serialise(v), env, bits) for n, v in values.items()}}
        for values in (pair.values, found.hyperparameters)
    )
    if not (_inside(pair.a, left) and _inside(pair.b, right)):
        raise independent.NoValue("a hyperparameter leaves its domain")
    return _Given(env, left, right)


def _one(
    pair: Pair,
    found: RunMap,
    choice: Choice,
    steps: int,
    size: int,
    bits: int,
    queries_only: bool,
) -> Parting | None:
    """Run both rules once; return where they part."""
    given = [_given(pair, found, choice, k, size, bits) for k in range(1, steps + 1)]
    starts, traces = _traces(pair, found, given, size, bits)
    latest = [dict(start) for start in starts]
    for k in range(steps):
        rows = [dict(trace[k]) for trace in traces]
        if apart(rows[0][QUERY], rows[1][QUERY]) is not None:
            return _parting(k + 1, "the query point", rows[0][QUERY], rows[1][QUERY], choice, pair)
        latest = [{**old, **row} for old, row in zip(latest, rows, strict=True)]
        if queries_only:
            continue
        env = {**given[k].env, **{n: latest[0][n] for n in starts[0]}}
        for name, value in {**found.states, "param": found.param}.items():
            mapped = independent.evaluate(serialise(value), env, bits)
            if apart(mapped, latest[1][name]) is not None:
                return _parting(k + 1, name, mapped, latest[1][name], choice, pair)
    return None


Trace = list[list[tuple[str, Values]]]


def _traces(
    pair: Pair,
    found: RunMap,
    given: Sequence[_Given],
    size: int,
    bits: int,
    *,
    left_only: bool = False,
) -> tuple[list[dict[str, Values]], list[Trace]]:
    """Run both rules, or the first; return how they start, and what they come by."""
    starts = [_initial(spec, size) for spec in (pair.a, pair.b)]
    starts[0]["param"] = given[0].env["param"]
    at = {**given[0].env, **starts[0]}
    starts[1]["param"] = independent.evaluate(serialise(found.param), at, bits)
    given[0].left.update(starts[0])
    given[0].right.update(starts[1])
    traces = [independent.run(_lines(pair.a), [g.left for g in given], bits)]
    if not left_only:
        traces.append(independent.run(_lines(pair.b), [g.right for g in given], bits))
    return starts, traces


def _initial(spec: OptimizerSpec, size: int) -> dict[str, Values]:
    return {b.name: (independent.exact(Fraction(b.initial)),) * size for b in spec.state}


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
    element = apart(left, right) or 0
    shown = show_interval(left[element]), show_interval(right[element])
    return Parting(step, what, *shown, _point(choice[:step], pair))


def _point(choice: Choice, pair: Pair) -> dict[str, str]:
    """Return what was chosen for some steps, as text."""
    point: dict[str, str] = {}
    for name in pair.base:
        values = [c[name] for c in choice]
        if len(set(values)) == 1:
            point[name] = str(values[0])
        else:
            point |= {f"{name}_{k}": str(v) for k, v in enumerate(values, 1)}
    for k, chosen in enumerate(choice, 1):
        for name, value in chosen.items():
            if "[" in name:
                plain = name.replace("[0]", "") if f"{name[:-3]}[1]" not in chosen else name
                point[plain if plain == "param" else f"{plain}_{k}"] = str(value)
    return point
