"""What a comparison found, put into a `Comparison`: each verdict with its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from optgen.verify.comparison import Comparison
from optgen.verify.runs.hunt import Witness
from optgen.verify.runs.mapping import MapProof
from optgen.verify.runs.table import side_by_side
from optgen.verify.runs.traces import apart
from optgen.verify.show import show_interval
from optgen.verify.verdicts import Refuted

Lost = Mapping[str, tuple[str, ...]]
"""For each side, the states whose domain is not proved to be kept."""


def different(blank: Comparison, witness: Witness) -> Comparison:
    """Return the verdict of two rules that part in a run."""
    return replace(_at(blank, witness), verdict="different")


def equal(result: Comparison, proof: MapProof, lost: Lost, one_sided: str) -> Comparison:
    """Return the verdict of two rules that are proved to be equal under every schedule."""
    return replace(_proved(result, proof, lost, one_sided), verdict="equal")


def while_constant(
    result: Comparison, proof: MapProof, lost: Lost, one_sided: str, parted: Witness | None
) -> Comparison:
    """Return the verdict of two rules with equal runs while some hyperparameters are constant.

    Args:
        result: What is known.
        proof: A map of states that holds those hyperparameters.
        lost: States whose domain was not relied on.
        one_sided: Where only one side has a value; empty if nowhere.
        parted: A run with a schedule in which the two part; None if none was found.
    """
    constant = proof.states.constant
    proved = _proved(result, proof, lost, one_sided)
    if parted is None:
        fact = (
            f"in no run of up to {result.steps} steps in which {_listed(constant)} changes were "
            "the parameters seen to differ"
        )
        evidence: tuple[str, ...] = (*proved.evidence, fact)
    else:
        proved = replace(_at(proved, parted), matching=proved.matching)
        evidence = (*proved.evidence, *_proved(result, proof, lost, one_sided).evidence)
    return replace(proved, verdict="equal while constant", constant=constant, evidence=evidence)


def schedule_words(parted: Witness) -> tuple[str, ...]:
    """Say that a run with a schedule parts two rules of which nothing else is known."""
    point = ", ".join(f"{name} = {value}" for name, value in parted.point.items())
    return (
        "no run with constant hyperparameters was found to part them, and no proof that none "
        f"does; hyperparameters that change part them, at {point}",
    )


def one_step(
    result: Comparison, matching: Mapping[str, str], label: str, found: Refuted, one_sided: str
) -> Comparison:
    """Return the verdict of two rules that differ from a state that no run was seen to reach."""
    others = ("every other matching of the states is refuted too",) if len(matching) > 1 else ()
    return replace(
        result,
        verdict="different",
        witness={name: str(value) for name, value in found.point},
        left_value=found.left,
        right_value=found.right,
        matching=matching,
        evidence=(
            f"one step from the state of the witness gives another {label}",
            *others,
            f"in no run of up to {result.steps} steps from the initial states were the "
            "parameters seen to differ: the state may not be reachable",
            *domains_differ(one_sided),
        ),
    )


def domains_differ(at: str) -> tuple[str, ...]:
    """Say where only one side has a value: that is no difference, and not kept silent."""
    return (f"domains differ: only one side has a value at {at}",) if at else ()


def _at(blank: Comparison, witness: Witness) -> Comparison:
    """Put a run at the end of which the parameters differ into a comparison."""
    left, right = witness.traces.finals
    element = apart(left, right) or 0
    steps = "1 step" if witness.steps == 1 else f"{witness.steps} steps"
    changing = f", in which {_listed(witness.scheduled)} changes" if witness.scheduled else ""
    evidence = [
        f"a run of {steps} from the initial states{changing}",
        "evaluated again by the independent evaluator",
    ]
    if witness.size > 1:
        evidence.append(
            f"the parameter has {witness.size} elements; the values are of element {element}"
        )
    return replace(
        blank,
        witness={name: str(value) for name, value in witness.point.items()},
        left_value=show_interval(left[element]),
        right_value=show_interval(right[element]),
        reachable=True,
        evidence=tuple(evidence),
        rows=side_by_side(witness.traces),
    )


def _proved(result: Comparison, proof: MapProof, lost: Lost, one_sided: str) -> Comparison:
    count = len(proof.certificate.regions)
    regions = "1 region" if count == 1 else f"{count} regions"
    matching = proof.states.matching
    evidence = [
        f"proved for {proof.how}, in {regions}, by rational normal forms",
        "the states start equal" if matching else "no state is left to match",
    ]
    if proof.states.texts:
        evidence[1] = "the states are multiples: " + ", ".join(proof.states.texts)
    for side, names in (result.dropped or {}).items():
        if names:
            evidence.append(f"{side} drops {', '.join(names)}: never reaches the parameter")
    for side, names in lost.items():
        if names:
            evidence.append(
                f"the domain of {', '.join(names)} ({side}) is not proved to be kept, "
                "and not relied on"
            )
    return replace(
        result,
        matching=matching,
        certificate=proof.certificate,
        evidence=(*evidence, *domains_differ(one_sided)),
    )


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
