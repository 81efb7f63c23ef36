"""`optgen compare` as it is used: every verdict ends with 0, wrong substitutions with 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

SPECS = Path(__file__).parents[1] / "claims" / "specs"
WHILE_CONSTANT = ("compare", "sutskever", "momentum", "--specs", SPECS, "--given", "dampening=0")


def test_equal_while_constant_is_an_answer(optgen: Any) -> None:
    result = optgen(*WHILE_CONSTANT)
    assert (result.exit_code, result.err) == (0, "")
    assert result.out.startswith("EQUAL WHILE lr is constant: sutskever equals momentum")
    assert "lr_1 = 0, lr_2 = 1" in result.out


def test_equal_while_constant_as_json(optgen: Any) -> None:
    document = optgen(*WHILE_CONSTANT, "--json").document
    assert document["verdict"] == "equal while constant"
    assert document["constant"] == ["lr"]
    assert document["matching"] == {"velocity": "momentum_buffer"}
    assert document["reachable"] is True
    assert document["witness"] == {
        "momentum": "1/2",
        "lr_1": "0",
        "lr_2": "1",
        "param": "0",
        "grad_1": "1",
        "grad_2": "0",
    }


@pytest.mark.parametrize(
    ("names", "first"),
    [
        (("adam", "adam"), "EQUAL: adam equals adam"),
        (("adam", "adamw"), "DIFFERENT: adam differs from adamw"),
    ],
)
def test_other_verdicts(optgen: Any, names: tuple[str, str], first: str) -> None:
    result = optgen("compare", *names)
    assert (result.exit_code, result.out.splitlines()[0]) == (0, first)


def test_no_time_is_unknown_and_no_error(optgen: Any) -> None:
    result = optgen("compare", "adam", "adam", "--timeout", "1e-9")
    assert (result.exit_code, result.err) == (0, "")
    assert result.out.splitlines() == [
        "UNKNOWN: adam may or may not equal adam",
        "because out of time",
    ]


@pytest.mark.parametrize(
    ("given", "what", "fix"),
    [
        ("lr=Max(1, 1/(1-1))", "'Max(1, 1/(1-1))' has no real value", "mend the expression"),
        ("beta1=sqrt(2)", "sqrt(2) lies outside [0, 1)", "give a value inside the domain"),
        ("beta2=1+lr", "lr + 1 lies outside [0, 1)", "give a value inside the domain"),
        ("learning=1", "neither rule has a 'learning'", "the hyperparameters are: "),
        ("beta1=beta1", "'beta1' is given by itself", "right.beta1"),
        ("lr", "'lr' is not of the form", "write for example beta2=beta1"),
        ("lr=" + "-" * 500 + "1", "more than 60 levels", "write it with fewer brackets"),
    ],
)
def test_wrong_substitutions_end_with_2(optgen: Any, given: str, what: str, fix: str) -> None:
    result = optgen("compare", "adam", "adamw", "--given", given)
    assert (result.exit_code, result.out) == (2, "")
    assert what in result.err
    assert fix in result.err
    assert "Traceback" not in result.err
