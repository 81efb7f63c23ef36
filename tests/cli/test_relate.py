"""`optgen relate`: the map in lines, one JSON document, and what is wrong with what was asked."""

from pathlib import Path
from typing import Any

from optgen.relations import check_document

SPECS = Path(__file__).parents[1] / "relations" / "specs"


def test_a_map_is_printed_in_lines(optgen: Any) -> None:
    result = optgen("relate", "sgd_l2", "raw_sgdw", "--specs", SPECS)
    assert (result.exit_code, result.err) == (0, "")
    assert result.out == (
        "RELATED: every run of sgd_l2 is a run of raw_sgdw\n"
        "hyperparameters of raw_sgdw =, in terms of sgd_l2:\n"
        "  lr           = lr\n"
        "  weight_decay = lr*weight_decay\n"
        "states of raw_sgdw =, in terms of sgd_l2:\n"
        "  param = param\n"
        "the states correspond\n"
        "\n"
        "- proved for every step from every state, and the initial states correspond, in 1 "
        "region, by rational normal forms\n"
        "- exact runs of 4 steps agree, with the independent evaluator\n"
        "- may change from step to step: lr, weight_decay\n"
    )


def test_json_has_every_part(optgen: Any) -> None:
    found = optgen("relate", "momentum_ema", "momentum", "--json").document
    assert found["verdict"] == "related"
    assert found["hyperparameters"]["lr"] == "lr*(1 - momentum)"
    assert found["constant"] == ["momentum"]
    assert found["certificate"] is None
    assert set(found) == {
        *("left", "right", "given", "verdict", "hyperparameters", "states", "where"),
        *("initial", "changing", "constant", "certificate", "evidence", "reason"),
    }


def test_none_carries_its_certificate(optgen: Any) -> None:
    result = optgen("relate", "adam_l2", "adamw", "--json")
    assert result.exit_code == 0
    assert result.document["verdict"] == "none"
    assert check_document(result.document["certificate"])


def test_unknown_is_an_answer(optgen: Any) -> None:
    result = optgen("relate", "adam", "nadam", "--timeout", "0.001")
    assert result.exit_code == 0
    assert result.out == (
        "UNKNOWN: it is not known whether every run of adam is a run of nadam\n"
        "because out of time\n"
    )


def test_an_unknown_rule_is_named(optgen: Any) -> None:
    result = optgen("relate", "adam_l3", "adamw")
    assert (result.exit_code, result.out) == (2, "")
    assert "there is no rule 'adam_l3'" in result.err
    assert "Fix: did you mean 'adam_l2'" in result.err


def test_given_is_read_as_in_compare(optgen: Any) -> None:
    result = optgen("relate", "momentum", "momentum_ema", "--given", "left.dampning=0")
    assert (result.exit_code, result.out) == (2, "")
    assert "the left rule has no hyperparameter 'dampning'" in result.err
    fixed = ("--given", "left.dampening=0")
    assert optgen("relate", "momentum", "momentum_ema", *fixed).out.startswith("RELATED")


def test_a_timeout_must_be_positive(optgen: Any) -> None:
    result = optgen("relate", "adam", "adamw", "--timeout", "0")
    assert (result.exit_code, result.out) == (2, "")
    assert "0.0 is not in the range x>0" in result.err
