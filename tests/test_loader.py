"""Running spec files and finding rules by name."""

import errno
import os
import runpy
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from optgen import paths
from optgen.configuration import load_spec
from optgen.errors import SpecError, UsageError
from optgen.loader import Catalogue, load_catalogue, load_file
from optgen.spec_files import spec_files

RULE = """
from optgen.spec import Hyperparameter, OptimizerSpec, Set
from optgen.symbols import grad, lr, param

LR = Hyperparameter(lr, "1e-3")


def rule(name, full_name=""):
    return OptimizerSpec(
        name=name,
        full_name=full_name,
        summary="Descent.",
        hyperparameters=(LR,),
        rule=(Set(param, param - lr * grad),),
    )

"""


def write(folder: Path, text: str, name: str = "mine.py") -> Path:
    file = folder / name
    file.write_text(RULE + textwrap.dedent(text), encoding="utf-8")
    return file


def test_rules_are_found_at_top_level_and_in_sequences(tmp_path: Path) -> None:
    file = write(tmp_path, "z = rule('z')\nmore = (rule('a'), [rule('never')])\nagain = z\n")
    assert [s.name for s in load_file(file)] == ["z", "a"]


def test_files_begin_with_no_underscore_and_are_sorted(tmp_path: Path) -> None:
    for name in ("b.py", "a.py", "_shared.py", "notes.txt"):
        write(tmp_path, "x = rule('x')", name)
    assert [f.name for f in spec_files([tmp_path])] == ["a.py", "b.py"]
    assert spec_files([tmp_path / "_shared.py"]) == (tmp_path / "_shared.py",)


def test_a_folder_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="there is no folder of specs 'nowhere'"):
        spec_files([Path("nowhere")])
    with pytest.raises(UsageError, match=r"there is no file of specs 'nowhere\.py'"):
        spec_files([Path("nowhere.py")])
    with pytest.raises(SpecError, match="there is no spec file"):
        load_file(Path("nowhere.py"))


@pytest.mark.parametrize("name", ["pyproject.toml", "notes", os.devnull])
def test_what_is_no_python_file_is_not_run(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name != os.devnull:
        path.write_text("raise RuntimeError", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        spec_files([path])
    assert str(caught.value) == (
        f"this is neither a folder nor a Python file, and is not run\n  at {path}\n"
        "  Fix: name a folder of rules, or a file that ends in .py"
    )


def test_an_empty_path_is_not_the_current_folder() -> None:
    with pytest.raises(UsageError, match="an empty text names no folder of specs"):
        load_spec("adam", specs="")


def test_catalogue_answers_to_short_full_and_file_names(tmp_path: Path) -> None:
    catalogue = Catalogue(load_file(write(tmp_path, "a = rule('fast', 'sgd:plain+l2')")))
    assert list(catalogue) == ["fast"]
    assert len(catalogue) == 1
    spec = catalogue["fast"]
    assert catalogue["sgd:plain+l2"] is spec
    assert "sgd:plain+l2" in catalogue
    assert "sgd" not in catalogue
    variant = Catalogue(load_file(write(tmp_path, "a = rule('sgd:plain')")))
    assert variant["sgd_plain"] is variant["sgd:plain"]


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    catalogue = load_catalogue()
    with pytest.raises(UsageError) as caught:
        catalogue["adamm"]
    assert caught.value.what == "there is no rule 'adamm'"
    assert "'adam'" in caught.value.fix
    with pytest.raises(UsageError) as caught:
        catalogue["zzzzzz"]
    assert caught.value.fix == "see `optgen list`"


def test_own_rules_come_first_and_others_are_added(tmp_path: Path) -> None:
    write(tmp_path, "a = rule('mine')")
    own, extended = load_catalogue(), load_catalogue([tmp_path])
    assert [*own, "mine"] == list(extended)
    assert {Path(str(s.location.file)).parent for s in own.values() if s.location} == {paths.SPECS}


def test_one_rule_loaded_twice_is_one_rule(tmp_path: Path) -> None:
    write(tmp_path, "a = rule('mine')")
    assert list(load_catalogue([tmp_path, tmp_path])) == list(load_catalogue([tmp_path]))


def test_a_file_may_build_on_a_rule_of_optgen(tmp_path: Path) -> None:
    text = """
        from optgen import load_spec
        from optgen.modifiers import l2
        rmsprop = load_spec("rmsprop")
        mine = l2(rmsprop, name="mine")
    """
    write(tmp_path, text)
    catalogue = load_catalogue([tmp_path])
    assert catalogue["mine"].full_name == "rmsprop+l2"
    assert [name for name in catalogue if "rmsprop" in name] == [
        name for name in load_catalogue() if "rmsprop" in name
    ]


def test_two_rules_of_one_name(tmp_path: Path) -> None:
    write(tmp_path, "a = rule('mine')", "one.py")
    write(tmp_path, "\n\na = rule('mine')", "two.py")
    with pytest.raises(SpecError) as caught:
        load_catalogue([tmp_path])
    assert caught.value.what.startswith("two rules are called 'mine': here and at ")
    assert str(tmp_path / "one.py") in caught.value.what
    assert str(tmp_path / "two.py") in str(caught.value.where)


def test_own_rules_cannot_be_replaced_silently(tmp_path: Path) -> None:
    write(tmp_path, "a = rule('adam')")
    with pytest.raises(SpecError, match="two rules are called 'adam'"):
        load_catalogue([tmp_path])


def test_an_error_in_a_file_that_the_spec_uses_is_placed(tmp_path: Path) -> None:
    file = write(tmp_path, "from optgen import load_spec\nx = load_spec('nope')\n")
    with pytest.raises(UsageError, match="there is no rule 'nope'") as caught:
        load_file(file)
    assert str(caught.value.where) == f"{file}:{len(RULE.splitlines()) + 2}"


def test_not_utf8(tmp_path: Path) -> None:
    file = tmp_path / "latin.py"
    file.write_bytes(b"name = '\xe4'\n")
    with pytest.raises(SpecError, match="this is not Python"):
        load_file(file)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, "a = rule('mine')")

    def refuse(path: str, **_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(runpy, "run_path", refuse)
    with pytest.raises(SpecError) as caught:
        load_file(file)
    assert str(caught.value) == (
        f"the spec file cannot be read: Permission denied\n  at {file}\n"
        "  Fix: check its permissions"
    )


def test_a_file_that_reads_what_is_not_there(tmp_path: Path) -> None:
    file = write(tmp_path, "open('nowhere.toml')")
    with pytest.raises(SpecError, match="the spec file raises FileNotFoundError") as caught:
        load_file(file)
    assert str(caught.value.where) == f"{file}:{len(RULE.splitlines()) + 1}"


def test_what_a_file_prints_stays_out_of_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_file(write(tmp_path, "print('loading')\na = rule('mine')"))
    assert tuple(capsys.readouterr()) == ("", "loading\n")


def test_interrupting_a_file_is_no_error_of_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load_file(file)


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ on Windows")
def test_control_c_ends_a_spec_that_does_not(tmp_path: Path) -> None:
    text = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n"
    file = write(tmp_path, text)
    code = "import sys, pathlib, optgen.loader as l; l.load_file(pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(file)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert run.returncode != 0
    assert "KeyboardInterrupt" in run.stderr
    assert "SpecError" not in run.stderr


def test_loading_leaves_no_module_behind(tmp_path: Path) -> None:
    before = set(sys.modules)
    load_file(write(tmp_path, "a = rule('mine')"))
    assert set(sys.modules) - before == set()
