"""`optgen new`: the file it writes is a rule; it refuses what would not be one."""

from pathlib import Path

import pytest

from optgen import paths
from optgen.authoring import rule_text, write_rule
from optgen.configuration import find_spec, open_catalogue, spec_folders
from optgen.errors import UsageError
from optgen.notation.text import rule_lines


def test_the_file_is_a_rule_as_it_stands(tmp_path: Path) -> None:
    written = write_rule("my_rule", tmp_path / "specs")
    assert written.path == tmp_path / "specs" / "my_rule.py"
    spec = open_catalogue((tmp_path / "specs",))["my_rule"]
    assert rule_lines(spec) == (
        "decayed_grad = weight_decay*param + grad",
        "momentum_buffer <- momentum*momentum_buffer + decayed_grad",
        "param <- param - lr*momentum_buffer",
    )
    assert spec.location is not None
    assert spec.location.file == str(written.path)


def test_what_comes_next_names_the_folder(tmp_path: Path) -> None:
    written = write_rule("my_rule", tmp_path / "specs")
    assert written.commands[0] == f"optgen show my_rule --specs {tmp_path / 'specs'}"
    assert written.setting[0] == "[tool.optgen]"


def test_a_folder_that_is_read_already_needs_no_option(tmp_path: Path) -> None:
    written = write_rule("my_rule", tmp_path, read=(tmp_path,))
    assert written.commands == (
        "optgen show my_rule",
        "optgen compare my_rule momentum",
        "optgen build my_rule",
    )
    assert written.setting == ()


def test_in_optgens_own_checkout_the_folder_is_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "SPECS", tmp_path / "specs")
    (tmp_path / "specs").mkdir()
    monkeypatch.chdir(tmp_path)
    assert write_rule("mine", Path("specs")).commands[0] == "optgen show mine"
    assert open_catalogue(spec_folders((Path("specs"),)))["mine"].name == "mine"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("# work of a week\n", encoding="utf-8")
    with pytest.raises(UsageError, match="there already, and is not overwritten"):
        write_rule("mine", tmp_path)
    assert (tmp_path / "mine.py").read_text(encoding="utf-8") == "# work of a week\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Mine", "'Mine' is not a name for a rule file"),
        ("adam:mine", "'adam:mine' is not a name for a rule file"),
        ("../mine", "'../mine' is not a name for a rule file"),
        ("_mine", "'_mine' is not a name for a rule file"),
        ("", "'' is not a name for a rule file"),
        ("lambda", "'lambda' is a reserved word of Python"),
        ("double", "'double' is a reserved word of C"),
        ("adamw", "there is a rule 'adamw' already"),
        ("rmsprop_centered", "there is a rule 'rmsprop_centered' already"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        write_rule(name, tmp_path)
    assert caught.value.fix
    assert list(tmp_path.iterdir()) == []


def test_a_second_rule_may_not_take_the_name_of_the_first(tmp_path: Path) -> None:
    write_rule("mine", tmp_path)
    (tmp_path / "mine.py").rename(tmp_path / "first.py")
    with pytest.raises(UsageError, match="there is a rule 'mine' already"):
        write_rule("mine", tmp_path)


def test_no_line_is_longer_than_a_screen() -> None:
    assert max(map(len, rule_text("a_rule_with_a_long_name").splitlines())) <= 100


def test_pyproject_adds_folders_and_leaves_out_optgens_own(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        f"[tool.optgen]\nspecs = ['specs', '{paths.SPECS.as_posix()}', './specs']\n",
        encoding="utf-8",
    )
    assert spec_folders((tmp_path / "more",), tmp_path) == (tmp_path / "specs", tmp_path / "more")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.optgen]\nspec = []", r"\[tool.optgen\] has no setting 'spec'"),
        ("[tool.optgen]\nspecs = 'specs'", r"\[tool.optgen\] specs is not a list of folders"),
        ("[tool.optgen]\nspecs = [1]", r"\[tool.optgen\] specs is not a list of folders"),
        ("[tool]\noptgen = 1", "tool.optgen is not a table"),
        ("[tool", "this is not TOML"),
        ("[tool.optgen]\nspecs = ['']", "an empty text names no folder of specs"),
    ],
)
def test_a_wrong_setting_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message) as caught:
        spec_folders((), tmp_path)
    assert "pyproject.toml" in str(caught.value.where)
    assert caught.value.fix


def test_the_nearest_pyproject_with_the_table_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "project" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("[tool.optgen]\nspecs = ['far']\n")
    (tmp_path / "project" / "pyproject.toml").write_text("[tool.optgen]\nspecs = ['near']\n")
    (inner / "pyproject.toml").write_text("[project]\nname = 'without the table'\n")
    assert spec_folders((), inner) == (tmp_path / "project" / "near",)
    monkeypatch.chdir(inner)
    assert [p.resolve() for p in spec_folders()] == [(tmp_path / "project" / "near").resolve()]
    (tmp_path / "project" / "pyproject.toml").write_text("[tool.optgen]\n")
    assert spec_folders() == ()
    (tmp_path / "project" / "pyproject.toml").unlink()
    assert [p.resolve() for p in spec_folders()] == [(tmp_path / "far").resolve()]


def test_rules_in_specs_that_are_not_read_are_mentioned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_rule("mine", Path("specs"))
    catalogue = open_catalogue(())
    with pytest.raises(UsageError, match="there is no rule 'mine'") as caught:
        find_spec(catalogue, "mine", ())
    assert "the rules in ./specs are not read: add --specs specs" in caught.value.fix
