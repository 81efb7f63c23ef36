"""Every rule differs from each of its single-site mutants, unless the change changes nothing."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from optgen.loader import load_catalogue
from optgen.spec import OptimizerSpec
from optgen.verify import compare
from optgen.verify.given import read_given
from optgen.verify.mutants import Mutant, mutants
from optgen.verify.runs.sides import Side
from optgen.verify.runs.trajectories import Race, Rule

RULES = load_catalogue()
SAMPLE = 60
MOST_UNKNOWN = 0.05


def chosen(spec: OptimizerSpec) -> list[Mutant]:
    """All mutants of a small rule, a fixed sample of those of a large one."""
    every = list(mutants(spec))
    if len(every) <= SAMPLE:
        return every
    return random.Random(spec.name).sample(every, SAMPLE)


def runs_agree(left: OptimizerSpec, right: OptimizerSpec) -> bool:
    """Whether two rules agree in runs of four steps, seen by the independent evaluator."""
    given = read_given(left, right, ())
    sides = [Side.of(s, spec, given.values[s]) for s, spec in (("left", left), ("right", right))]
    race = Race(Rule.of(sides[0]), Rule.of(sides[1]), given.domains)
    rng = random.Random(5)
    for _ in range(10):
        point = {}
        for name, domain in race.variables(4, 2).items():
            value = Fraction(rng.randint(1, 9), 10)
            point[name] = value if domain.nonnegative else value - Fraction(1, 2)
        if race.traces(point, 4, 2) is not None:
            return False
    return True


@pytest.mark.parametrize("name", RULES)
def test_mutants_are_told_apart(name: str) -> None:
    spec = RULES[name]
    unknown = 0
    found = chosen(spec)
    assert len(found) > 10
    for mutant in found:
        verdict = compare(spec, mutant.spec, timeout=10)
        if verdict.verdict == "equal":
            assert runs_agree(spec, mutant.spec), mutant.change
        unknown += verdict.verdict == "unknown"
    assert unknown <= max(2, MOST_UNKNOWN * len(found)), f"{unknown} of {len(found)}"


def test_mutants_are_many_and_repeat() -> None:
    first, second = ([m.change for m in mutants(RULES["adamw"])] for _ in range(2))
    assert first == second
    assert len(first) == len(set(first)) > 200


def test_mutants_are_rules_of_their_own() -> None:
    for mutant in mutants(RULES["lion"]):
        assert mutant.spec.rule != RULES["lion"].rule
