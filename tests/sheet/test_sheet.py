"""The whole sheet: memory, text, JSON, the command line, the picture."""

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import optgen
from optgen.cli import main
from optgen.errors import BackendUnavailable, UsageError
from optgen.loader import Catalogue
from optgen.sheet import property_sheet
from optgen.sheet.entry import SECTIONS
from optgen.sheet.memory import entries as memory
from optgen.sheet.subject import Subject
from optgen.spec import Hyperparameter, OptimizerSpec, Set, StateBuffer
from optgen.symbols import grad, lr, param, symbol

Make = Callable[[OptimizerSpec | str], Subject]


@pytest.mark.parametrize(
    ("rule", "state", "moved", "least"),
    [
        ("sgd", 0, 12, 12),
        ("lion", 4, 20, 20),
        ("adam", 8, 28, 28),
        ("adamw", 8, 28, 28),
        ("amsgrad", 12, 36, 36),
        ("nadam", 8, 28, 28),
        ("lamb", 8, 40, 28),
    ],
)
def test_memory_and_traffic(subject: Make, rule: str, state: int, moved: int, least: int) -> None:
    states, single, double = memory(subject(rule))
    assert states.values["state_bytes"] == {"float32": state, "float64": 2 * state}
    assert (single.values["bytes"], single.values["least"]) == (moved, least)
    assert (double.values["bytes"], double.values["least"]) == (2 * moved, 2 * least)


def test_a_scalar_state_costs_nothing_per_parameter(subject: Make) -> None:
    first, *_ = memory(subject("nadam"))
    assert first.values["host_bytes_per_tensor"] == 8
    assert first.statement.endswith("and 8 bytes per tensor on the host")


def test_traffic_of_a_rule_that_no_backend_prints(subject: Make) -> None:
    extra = symbol("extra")
    spec = OptimizerSpec(
        name="with_input",
        summary="Takes an input.",
        hyperparameters=(Hyperparameter(lr, "1e-3"),),
        inputs=(extra,),
        rule=(Set(param, param - lr * (grad + extra)),),
    )
    _, single, _ = memory(subject(spec))
    assert single.outcome == "not derived"
    assert "takes inputs besides the gradient" in single.detail


def test_a_state_that_stays_as_it_is_need_not_be_moved(subject: Make) -> None:
    still = symbol("still")
    spec = OptimizerSpec(
        name="with_still",
        summary="Keeps a state that nothing changes.",
        hyperparameters=(Hyperparameter(lr, "1e-3"),),
        state=(StateBuffer(still),),
        rule=(Set(still, still), Set(param, param - lr * grad)),
    )
    _, single, _ = memory(subject(spec))
    assert (single.values["bytes"], single.values["least"]) == (20, 12)
    assert single.statement.endswith("any way moves at least 12: still stays as it is")


def test_a_sheet_has_every_section_and_is_the_same_twice(catalogue: Catalogue) -> None:
    sheet = property_sheet("sgdw", catalogue=catalogue)
    assert all(sheet.section(key) for key in SECTIONS)
    assert {e.outcome for e in sheet.entries} <= {"proved", "refuted", "not derived"}
    assert all(e.detail for e in sheet.entries if e.outcome == "not derived")
    assert all(e.how for e in sheet.entries)
    again = property_sheet(catalogue["sgdw"], catalogue=catalogue)
    assert str(again) == str(sheet)
    assert json.dumps(again.to_json()) == json.dumps(sheet.to_json())


def test_the_text_has_headings_and_verdicts(catalogue: Catalogue) -> None:
    text = str(property_sheet("sgd", catalogue=catalogue))
    for heading in SECTIONS.values():
        assert f"\n{heading}\n  " in text
    assert "  refuted      there is a bound on one step that holds whatever the gradients" in text


def test_no_time_means_not_derived(catalogue: Catalogue) -> None:
    sheet = property_sheet("adam", catalogue=catalogue, timeout=1e-9)
    late = [e for e in sheet.entries if e.outcome == "not derived"]
    assert any("out of time" in e.detail for e in late)
    symmetries = sheet.section("symmetries")
    assert "proved" not in {e.outcome for e in symmetries}
    assert [e.outcome for e in sheet.section("units")] == ["proved"] * 6


def test_a_crash_is_not_derived(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("optgen.sheet.memory")

    def broken(_: object) -> None:
        raise ZeroDivisionError("broken")

    monkeypatch.setattr(module, "entries", broken)
    sheet = property_sheet("sgd", catalogue=catalogue)
    (only,) = sheet.section("memory")
    assert only.outcome == "not derived"
    assert only.detail == "the derivation failed: ZeroDivisionError: broken"


def test_unknown_rules_are_a_usage_error(catalogue: Catalogue) -> None:
    with pytest.raises(UsageError, match="there is no rule 'sgdv'"):
        property_sheet("sgdv", catalogue=catalogue)


def test_it_is_part_of_the_package() -> None:
    assert optgen.property_sheet is property_sheet


def test_sheets_of_a_user_s_rules(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from optgen.spec import Hyperparameter, OptimizerSpec, Set\n"
        "from optgen.symbols import grad, lr, param, sign\n"
        "mine = OptimizerSpec(name='mine', summary='By signs.',\n"
        "    hyperparameters=(Hyperparameter(lr, '1e-3', '[0, oo)', 'step'),),\n"
        "    rule=(Set(param, param - lr * sign(grad)),))\n"
    )
    sheet = property_sheet("mine", specs=tmp_path)
    assert "mine = sign_descent" in {e.statement for e in sheet.section("special_cases")}
    (bound,) = sheet.section("step_bound")
    assert bound.statement == "abs(param_next - param) <= lr, whatever the gradients"


# --- the command line ---------------------------------------------------------


def test_the_command_prints_text_or_one_document() -> None:
    text = CliRunner().invoke(main, ["show", "sgd", "--as", "sheet"])
    assert text.exit_code == 0
    assert text.output.startswith("sgd: Stochastic gradient descent.\n\nUnits\n")
    document = json.loads(
        CliRunner().invoke(main, ["show", "sgd", "--as", "sheet", "--json"]).output
    )
    assert list(document) == ["format", "name", "summary", *SECTIONS]
    (entry,) = document["stability"]
    assert entry["verdict"] == "proved"
    assert entry["values"]["conditions"] == ["lr*h < 2"]


@pytest.mark.parametrize("rule", ["nesterov", "sgd"])
def test_the_picture(tmp_path: Path, catalogue: Catalogue, rule: str) -> None:
    pytest.importorskip("matplotlib")
    from optgen.sheet.plot import draw_region

    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file in files:
        draw_region(catalogue[rule], catalogue, file)
    first, second = (file.read_bytes() for file in files)
    assert first.startswith(b"\x89PNG\r\n")
    assert first == second


def test_the_command_draws(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "sgd.png"
    run = CliRunner().invoke(main, ["show", "sgd", "--as", "sheet", "--png", str(file), "--json"])
    assert run.exit_code == 0
    assert json.loads(run.stdout)["name"] == "sgd"
    assert run.stderr == f"wrote {file}\n"
    assert file.is_file()


def refusal(*arguments: str) -> tuple[int, str]:
    run = CliRunner().invoke(main, ["show", *arguments])
    return run.exit_code, run.output


def test_a_picture_goes_with_a_sheet_only(tmp_path: Path) -> None:
    code, text = refusal("sgd", "--png", str(tmp_path / "x.png"))
    assert code == 2
    assert "--png goes with --as sheet" in text


def test_a_rule_without_a_region_has_no_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    code, text = refusal("lion", "--as", "sheet", "--png", str(tmp_path / "x.png"))
    assert code == 2
    assert "'lion' has no stability region to draw" in text
    assert "Fix: leave --png out" in text
    assert not (tmp_path / "x.png").exists()


def test_a_picture_that_cannot_be_written(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    code, text = refusal("sgd", "--as", "sheet", "--png", str(tmp_path / "no" / "x.png"))
    assert code == 2
    assert "the picture cannot be written" in text
    assert "name a file in a folder that exists" in text


def test_without_matplotlib_the_fix_is_named(
    tmp_path: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    from optgen.sheet.plot import draw_region

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(BackendUnavailable) as raised:
        draw_region(catalogue["sgd"], catalogue, tmp_path / "x.png")
    assert raised.value.fix == "pip install 'optgen[examples]'"
    assert raised.value.exit_code == 2
