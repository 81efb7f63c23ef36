"""Runs two rules at a given witness, with the independent evaluator only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from optgen.spec import OptimizerSpec
from optgen.verify.given import read_given
from optgen.verify.runs.sides import Side
from optgen.verify.runs.trajectories import Race, Rule


def differ_at(
    left: OptimizerSpec,
    right: OptimizerSpec,
    given: Sequence[str],
    witness: Mapping[str, Fraction],
) -> bool:
    """Whether the parameters of two rules certainly differ at the end of a run in the domain.

    Args:
        left: A rule.
        right: Another.
        given: Substitutions.
        witness: A value for each shared hyperparameter, `param` and `grad_1`, `grad_2`, ...;
            `param[0]`, `param[1]` where the parameter has two elements; `lr_1`, `lr_2`, ...
            where a hyperparameter changes from step to step.

    Raises:
        KeyError: The witness leaves something out.
    """
    substituted = read_given(left, right, given)
    sides = [
        Side.of(label, spec, substituted.values[label])
        for label, spec in (("left", left), ("right", right))
    ]
    changing = tuple(n for n in substituted.domains if n not in witness and f"{n}_1" in witness)
    race = Race(Rule.of(sides[0]), Rule.of(sides[1]), substituted.domains, changing)
    size = sum(name.startswith("param[") for name in witness) or 1
    steps = sum(
        name == f"grad_{k}" or name == f"grad_{k}[0]"
        for k in range(1, len(witness) + 1)
        for name in witness
    )
    for name, domain in race.variables(steps, size).items():
        if witness[name] not in domain:
            return False
    return race.inside(witness, steps) and race.traces(witness, steps, size) is not None
