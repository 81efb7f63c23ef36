"""Special cases among the catalogue: what is listed is proved, and the known ones are listed."""

from collections.abc import Callable

import pytest

from optgen.sheet.entry import Entry
from optgen.sheet.landmarks import landmarks
from optgen.sheet.special_cases import entries
from optgen.sheet.subject import Subject
from optgen.spec import OptimizerSpec
from optgen.verify import compare

Make = Callable[[OptimizerSpec | str], Subject]
_FOUND: dict[str, list[Entry]] = {}


def found(subject: Subject) -> list[Entry]:
    """Return the entries of a rule, searched once."""
    name = subject.spec.name
    if name not in _FOUND:
        _FOUND[name] = list(entries(subject))
    return _FOUND[name]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (
            "adam",
            {"adam = adamw(weight_decay=0)", "adam(beta1=0) = rmsprop:bias_corrected"},
        ),
        ("adamw", {"adamw(weight_decay=0) = adam"}),
        (
            "lion",
            {
                "lion(beta2=beta1) = signum+decoupled_decay",
                "lion(beta1=0, weight_decay=0) = sign_descent",
            },
        ),
        ("rmsprop", {"rmsprop = rmsprop:momentum(momentum=0)"}),
        ("sgd", {"sgd = sgd_l2(weight_decay=0)", "sgd = nesterov(momentum=0)"}),
        ("sgdw", {"sgdw(momentum=0) = sgd_l2", "sgdw(weight_decay=0) = momentum(dampening=0)"}),
        ("momentum_ema", {"momentum_ema(momentum=0) = sgd"}),
    ],
)
def test_known_special_cases(subject: Make, rule: str, expected: set[str]) -> None:
    listed = found(subject(rule))
    assert expected <= {e.statement for e in listed}
    assert {e.outcome for e in listed} == {"proved"}


@pytest.mark.parametrize("rule", ["sgdw", "momentum_ema"])
def test_every_case_holds_by_compare(subject: Make, rule: str) -> None:
    named = {**subject(rule).catalogue, **{s.name: s for s in landmarks()}}
    for entry in found(subject(rule)):
        left, right = named[entry.values["left"]], named[entry.values["right"]]
        assert compare(left, right, given=entry.values["given"]).verdict == "equal"


def test_rules_without_special_cases_say_so(subject: Make) -> None:
    (only,) = entries(subject("adagrad"))
    assert only.outcome == "not derived"
    assert "no substitution of the set" in only.detail


def test_a_step_size_of_zero_is_no_special_case(subject: Make) -> None:
    for rule in ("sgd", "sgdw"):
        assert not any("lr=0" in e.statement for e in found(subject(rule)))


def test_landmarks_do_not_clash_with_the_catalogue(subject: Make) -> None:
    names = [s.name for s in landmarks()]
    assert len(set(names)) == len(names)
    assert not set(names) & set(subject("adam").catalogue)
