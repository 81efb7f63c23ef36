"""The text of each notation, kept in golden/; execution and round trips are tested elsewhere.

To rewrite the files: OPTGEN_UPDATE_GOLDEN=1 pytest tests/notation
"""

import os
from collections.abc import Callable
from dataclasses import replace
from json import dumps
from pathlib import Path

import pytest

from optgen.loader import load_catalogue, load_file
from optgen.notation.algorithm import algorithm
from optgen.notation.difference import difference
from optgen.notation.json import describe
from optgen.notation.latex import document
from optgen.notation.notebook import as_html
from optgen.notation.page import page
from optgen.spec import OptimizerSpec

HERE = Path(__file__).parent
NOTATIONS: dict[str, Callable[[OptimizerSpec], str]] = {
    "txt": page,
    "tex": document,
    "algorithm.tex": algorithm,
    "json": lambda spec: dumps(describe(spec), indent=1),
    "html": as_html,
}


def everything() -> OptimizerSpec:
    (spec,) = load_file(HERE / "everything.py")
    return spec


def compare(name: str, text: str) -> None:
    path = HERE / "golden" / name
    if os.environ.get("OPTGEN_UPDATE_GOLDEN") == "1":
        path.write_text(text + "\n", encoding="utf-8", newline="\n")
    known = path.read_text(encoding="utf-8") if path.exists() else ""
    assert text + "\n" == known, (
        f"{path.name} is not what is printed now; if the change is meant, run "
        "OPTGEN_UPDATE_GOLDEN=1 pytest tests/notation and read the difference"
    )


@pytest.mark.parametrize("suffix", NOTATIONS)
def test_every_operation_reads_as_before(suffix: str) -> None:
    compare(f"everything.{suffix}", NOTATIONS[suffix](everything()))


@pytest.mark.parametrize("suffix", ["txt", "tex", "algorithm.tex"])
def test_adamw_reads_as_before(suffix: str) -> None:
    compare(f"adamw.{suffix}", NOTATIONS[suffix](load_catalogue()["adamw"]))


def test_differences_read_as_before() -> None:
    catalogue = load_catalogue()
    compare("adam_l2_adamw.diff", str(difference(catalogue["adam_l2"], catalogue["adamw"])))


def test_a_rule_differs_from_itself_in_no_line() -> None:
    found = difference(everything(), replace(everything(), name="other"))
    assert [s.title for s in found.sections] == [
        "hyperparameters",
        "state",
        "inputs",
        "gradient taken at",
        "rule",
        "choices",
    ]
    assert all(section.agrees for section in found.sections)
    assert str(found).count("(the same)") == len(found.sections)


def test_a_difference_loses_no_line_and_keeps_the_order() -> None:
    catalogue = load_catalogue()
    from optgen.notation.text import rule_lines

    for left in catalogue.values():
        for right in (catalogue["adam"], catalogue["lion"], catalogue["momentum"]):
            (rule,) = (s for s in difference(left, right).sections if s.title == "rule")
            assert tuple(t for side, t in rule.lines if side != "right") == rule_lines(left)
            assert tuple(t for side, t in rule.lines if side != "left") == rule_lines(right)


def test_the_json_of_a_difference_says_which_side() -> None:
    catalogue = load_catalogue()
    found = difference(catalogue["sgd"], catalogue["sgd_l2"]).to_json()
    assert (found["left"], found["right"]) == ("sgd", "sgd_l2")
    sides = {line["line"]: line["side"] for s in found["sections"] for line in s["lines"]}
    assert sides["lr = 0.001, [0, oo)"] == "both"
    assert sides["weight_decay = 0.01, [0, oo)"] == "right"
    assert sides["param <- param - lr*grad"] == "left"
