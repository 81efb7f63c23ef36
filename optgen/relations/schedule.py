"""Which hyperparameters may change from step to step while a map holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

from optgen.domains import STEP, Domain
from optgen.relations.maps import Pair, RunMap
from optgen.relations.proving import first_equations, step_equations
from optgen.relations.trial import Parting, run_both
from optgen.verify.deadline import Deadline
from optgen.verify.proof import Failure, prove_equal
from optgen.verify.serialise import Tree


@dataclass(frozen=True, slots=True)
class Changes:
    """What may change while a map holds.

    Attributes:
        free: Hyperparameters of the first rule that may have another value at each step.
        constant: Those for which that is not proved.
        partings: For each of these a run in which it changes and the map fails, if one was
            found.
    """

    free: tuple[str, ...]
    constant: tuple[str, ...]
    partings: Mapping[str, Parting]


def changes(
    pair: Pair,
    found: RunMap,
    domains: Mapping[str, Domain],
    later_only: bool,
    deadline: Deadline,
) -> Changes:
    """Decide for every hyperparameter of the first rule whether it may change.

    One that the states' values do not speak of may: the step was proved for each of its
    values. For the others the step is proved again, with the value before the step and the
    value behind it apart: the map then uses the one of the step that was, or of the step
    that comes.
    """
    inside = [name for name in pair.base if name in found.read]
    outside = [name for name in pair.base if name not in found.read]
    alone = [
        n
        for n in inside
        if _holds(pair, found, domains, later_only, {n: 0}, deadline)
        or _holds(pair, found, domains, later_only, {n: 1}, deadline)
    ]
    free: list[str] = []
    for count in range(len(alone), 0, -1):  # alone is not yet together
        ways = product((0, 1), repeat=count)
        if any(
            _holds(pair, found, domains, later_only, dict(zip(alone, way, strict=False)), deadline)
            for way in ways
        ):
            free = alone[:count]
            break
    constant = tuple(n for n in inside if n not in free)
    partings = {}
    for name in constant:
        runs = run_both(
            pair, found, deadline, changing=(name,), wanted=12, steps=3, queries_only=True
        )
        if runs.parting is not None:
            partings[name] = runs.parting
    order = list(pair.base)
    return Changes(
        tuple(sorted((*outside, *free), key=order.index)),
        tuple(sorted(constant, key=order.index)),
        partings,
    )


def _holds(
    pair: Pair,
    found: RunMap,
    domains: Mapping[str, Domain],
    later_only: bool,
    ways: Mapping[str, int],
    deadline: Deadline,
) -> bool:
    """Whether the map holds while some hyperparameters change.

    Args:
        pair: The rules.
        found: The map.
        domains: Domain of each variable.
        later_only: Whether the states correspond from the end of the first step on.
        ways: 0: the map uses the value of the step that was; 1: of the step that comes.
        deadline: When to give up.
    """
    before: dict[str, Tree] = {n: ("name", f"{n}_before") for n, way in ways.items() if not way}
    after: dict[str, Tree] = {n: ("name", f"{n}_next") for n, way in ways.items() if way}
    known = {**domains, **{f"{n}_before": domains[n] for n in before}}
    known |= {f"{n}_next": domains[n] for n in after}
    if later_only:
        known["step"] = replace(STEP, low=Fraction(2))
        first, definitions = first_equations(pair, found, after)
        if isinstance(prove_equal(first, known, definitions, deadline), Failure):
            return False
    equations, definitions = step_equations(pair, found, before, after)
    return not isinstance(prove_equal(equations, known, definitions, deadline), Failure)
