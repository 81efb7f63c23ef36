"""`optgen list` and `optgen show`."""

from pathlib import Path
from typing import Any

import pytest

from optgen.authoring import write_rule
from optgen.loader import load_catalogue
from optgen.notation.json import describe

CATALOGUE = load_catalogue()


def test_list_names_every_rule(optgen: Any) -> None:
    result = optgen("list")
    assert (result.exit_code, result.err) == (0, "")
    words = result.out.split()
    assert all(name in words for name in CATALOGUE)
    assert not any(line != line.rstrip() for line in result.out.splitlines())


def test_list_is_never_folded_where_nobody_looks(optgen: Any) -> None:
    lines = optgen("list").out.splitlines()
    assert len(lines) == len(CATALOGUE) + 1
    assert all(any(spec.summary in line for line in lines) for spec in CATALOGUE.values())


def test_list_as_json(optgen: Any) -> None:
    document = optgen("list", "--json").document
    assert [entry["name"] for entry in document] == list(CATALOGUE)
    assert document[1] == {
        "name": "adam",
        "full_name": "adam",
        "family": "adam",
        "summary": "Adaptive moment estimation.",
        "hyperparameters": ["lr", "beta1", "beta2", "eps"],
        "state": ["exp_avg", "exp_avg_sq"],
        "choices": [list(choice) for choice in CATALOGUE["adam"].choices],
    }


@pytest.mark.parametrize(
    ("notation", "start"),
    [
        ("text", "adamw (adam+decoupled_decay)\n"),
        ("latex", "% adamw: "),
        ("algorithm", "% needs \\usepackage{amsmath, algorithm, algpseudocode}\n"),
        ("json", '{\n  "format": 1,\n'),
    ],
)
def test_show_in_every_notation(optgen: Any, notation: str, start: str) -> None:
    result = optgen("show", "adamw", "--as", notation)
    assert (result.exit_code, result.err) == (0, "")
    assert result.out.startswith(start)


def test_show_takes_every_name_of_a_rule(optgen: Any) -> None:
    assert optgen("show", "adam+decoupled_decay").out == optgen("show", "adamw").out
    assert optgen("show", "rmsprop_centered").out == optgen("show", "rmsprop:centered").out


def test_show_as_json_is_the_description(optgen: Any) -> None:
    assert optgen("show", "lamb", "--json").document == describe(CATALOGUE["lamb"])
    assert optgen("show", "lamb", "--as", "json", "--json").document == describe(CATALOGUE["lamb"])


def test_show_in_a_notation_as_json(optgen: Any) -> None:
    document = optgen("show", "sgd", "--as", "latex", "--json").document
    assert (document["name"], document["as"]) == ("sgd", "latex")
    assert r"\theta &\leftarrow \theta - \gamma \, g" in document["text"]


def test_variants_shows_what_tells_a_family_apart(optgen: Any) -> None:
    header, *rows = optgen("show", "adam", "--variants").out.splitlines()
    assert "decay" in header.split()
    assert "eps" not in header.split()
    assert [row.split()[0] for row in rows] == ["adam", "adam_l2", "adamw", "amsgrad"]


def test_variants_as_json(optgen: Any) -> None:
    document = optgen("show", "adam", "--variants", "--json").document
    assert {entry["family"] for entry in document} == {"adam"}


def test_against_shows_the_lines_that_differ(optgen: Any) -> None:
    result = optgen("show", "sgd", "--against", "sgd_l2")
    assert result.exit_code == 0
    assert "- param <- param - lr*grad\n" in result.out
    assert "+ param <- param - lr*grad_regularized\n" in result.out
    document = optgen("show", "sgd", "--against", "sgd_l2", "--json").document
    assert (document["left"], document["right"]) == ("sgd", "sgd_l2")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--variants", "--against", "sgd"),
        ("--as", "latex", "--variants"),
        ("--as", "latex", "--against", "sgd"),
        ("--as", "markdown"),
    ],
)
def test_what_does_not_go_together_is_refused(optgen: Any, arguments: tuple[str, ...]) -> None:
    assert optgen("show", "adam", *arguments).exit_code == 2


def test_further_rules_by_option_and_by_pyproject(
    optgen: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_rule("mine", Path("specs"))
    without = optgen("list")
    assert "mine" not in without.out
    assert without.err.startswith("the rules in ./specs are not read: add --specs specs")
    given = optgen("show", "mine", "--specs", "specs")
    assert given.exit_code == 0
    assert "mine" in optgen("list", "--specs", "specs").out
    Path("pyproject.toml").write_text('[tool.optgen]\nspecs = ["specs"]\n', encoding="utf-8")
    assert optgen("show", "mine").out == given.out
    assert optgen("show", "mine", "--specs", "specs").out == given.out
    assert optgen("list").err == ""


@pytest.mark.parametrize("command", [("list",), ("new", "mine"), ("build",)])
def test_an_empty_specs_is_refused(
    optgen: Any, command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = optgen(*command, "--specs", "")
    assert (result.exit_code, result.out) == (2, "")
    assert result.err == (
        "an empty text names no folder of specs\n  at --specs\n"
        "  Fix: name a folder; the current one is '.'\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_spec_that_prints_leaves_json_alone(optgen: Any, tmp_path: Path) -> None:
    file = tmp_path / "talks.py"
    text = "from optgen import load_spec\nprint('hello')\nrule = load_spec('adam')\n"
    file.write_text(text, encoding="utf-8")
    result = optgen("list", "--specs", file, "--json")
    assert (result.exit_code, result.err) == (0, "hello\n")
    assert result.document


def test_a_specs_folder_of_something_else_is_left_alone(
    optgen: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("specs").mkdir()
    Path("specs/setup.py").write_text("print('hello')\n", encoding="utf-8")
    assert optgen("list").err == ""


def test_a_broken_rule_is_named_with_its_line(optgen: Any, tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text("x = 1\ny = x +\n", encoding="utf-8")
    result = optgen("list", "--specs", tmp_path)
    assert (result.exit_code, result.out) == (2, "")
    assert f"  at {file}:2\n" in result.err
