"""docs/relations.md shows what the tool says."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from optgen.relations import explain, relate
from optgen.spec import OptimizerSpec

PAGE = Path(__file__).parents[2] / "docs" / "relations.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n\$ optgen relate (.*?)\n(.*?)```", TEXT, re.DOTALL)
ROWS = re.findall(r"^\| `(.+?)` \| `(.+?)` \| `(.+?)` \|$", TEXT, re.MULTILINE)


@pytest.mark.parametrize(("command", "shown"), BLOCKS, ids=[c for c, _ in BLOCKS])
def test_a_block_is_what_the_tool_prints(
    rule: Callable[[str], OptimizerSpec], command: str, shown: str
) -> None:
    left, right, *options = shlex.split(command)
    given = [text for text in options if text != "--given"]
    printed = [line for line in explain(relate(rule(left), rule(right), given)).split("\n") if line]
    for line in shown.splitlines():
        if line == "...":
            continue
        while printed and printed[0] != line:
            assert printed[0].startswith("- "), f"left out: {printed[0]}"
            printed.pop(0)
        assert printed, f"not printed: {line}"
        printed.pop(0)


@pytest.mark.parametrize(("left", "right", "values"), ROWS, ids=[f"{a} {b}" for a, b, _ in ROWS])
def test_a_row_is_what_the_tool_finds(
    rule: Callable[[str], OptimizerSpec], left: str, right: str, values: str
) -> None:
    found = relate(rule(left), rule(right))
    assert found.verdict == "related"
    shown = [f"{k} = {v}" for k, v in (found.hyperparameters or {}).items() if k != v]
    assert values == ", ".join(shown)


def test_the_page_shows_something() -> None:
    assert len(BLOCKS) >= 12
    assert len(ROWS) >= 12


def test_the_counts_are_those_of_the_campaign() -> None:
    result = json.loads((PAGE.parents[1] / "benchmarks/results/relations.json").read_text())
    catalogue, made = result["catalogue"], result["made"]
    text = " ".join(TEXT.split())
    verdicts = catalogue["verdicts"]
    assert f"Of the {catalogue['pairs']} ordered pairs, {verdicts['related']} are related" in text
    assert f"For {verdicts['none']} it is proved" in text
    assert f"for {catalogue['none for all hyperparameters']} of them" in text
    assert f"{verdicts['unknown']} are unknown" in text
    for pair in catalogue["unknown"]:
        assert "`" + pair.replace(" to ", "` to `") + "`" in text
    assert f"of {made['pairs']} such pairs {made['verdicts']['related']} were related" in text
    assert "none" not in made["verdicts"]
    assert set(catalogue["related"]) == {f"{a} to {b}" for a, b, _ in ROWS}
