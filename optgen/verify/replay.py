"""Runs two rules at a given witness, with the independent evaluator only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from optgen.spec import OptimizerSpec
from optgen.verify.enclose import Blurred, Undefined
from optgen.verify.given import read_given
from optgen.verify.runs import BITS, Race, Rule
from optgen.verify.sides import Side


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
            `param[0]`, `param[1]` where the parameter has two elements.

    Raises:
        KeyError: The witness leaves something out.
    """
    substituted = read_given(left, right, given)
    sides = [
        Side.of(label, spec, substituted.values[label])
        for label, spec in (("left", left), ("right", right))
    ]
    race = Race(Rule.of(sides[0]), Rule.of(sides[1]), substituted.domains)
    size = sum(name.startswith("param[") for name in witness) or 1
    steps = sum(
        name == f"grad_{k}" or name == f"grad_{k}[0]"
        for k in range(1, len(witness) + 1)
        for name in witness
    )
    for name, domain in race.variables(steps, size).items():
        if witness[name] not in domain:
            return False
    try:
        race.first_difference(witness, 1, size, BITS[-1])  # a given value may leave its domain
    except (Blurred, Undefined):
        return False
    return race.traces(witness, steps, size) is not None
