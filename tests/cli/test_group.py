"""Exit codes, error texts, and what a command line that does little may import."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import optgen as package
from optgen.cli import main
from optgen.errors import CheckFailed, InternalError


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail() -> Any:
        raise error

    monkeypatch.setattr("optgen.doctor.diagnose", fail)


def test_every_command_has_help(optgen: Any) -> None:
    overview = optgen("--help")
    assert overview.exit_code == 0
    for name in main.commands:
        assert f"\n  {name} " in overview.out
        result = optgen(name, "--help")
        assert result.exit_code == 0
        assert "--json" in result.out


def test_help_is_not_cut_short(optgen: Any) -> None:
    assert "..." not in optgen("--help").out.split("Commands:")[1]


def test_version(optgen: Any) -> None:
    result = optgen("--version")
    assert (result.exit_code, result.out) == (0, f"optgen {package.__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["shwo"], "there is no command 'shwo'\n  Fix: did you mean 'show'?\n"),
        (["xyz"], "there is no command 'xyz'\n  Fix: see `optgen --help`\n"),
        (["show", "adamm"], "there is no rule 'adamm'\n  Fix: did you mean 'adam' or"),
        (["show", "qqqq"], "there is no rule 'qqqq'\n  Fix: see `optgen list`"),
        (["list", "--specs", "nowhere"], "there is no folder of specs 'nowhere'\n  Fix: check"),
        (["list", "--jsno"], "--json"),
        (["show"], "Missing argument 'NAME'"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_the_fix(
    optgen: Any, arguments: list[str], text: str
) -> None:
    result = optgen(*arguments)
    assert (result.exit_code, result.out) == (2, "")
    assert text in result.err
    assert "Traceback" not in result.err


def test_an_error_has_three_lines_and_its_own_exit_code(
    optgen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(monkeypatch, CheckFailed("adam is wrong", where="adam.cu:3", fix="mend it"))
    result = optgen("doctor", "--json")
    assert (result.exit_code, result.out) == (1, "")
    assert result.err == "adam is wrong\n  at adam.cu:3\n  Fix: mend it\n"


@pytest.mark.parametrize("error", [InternalError("a kernel without stages"), KeyError("x")])
def test_a_bug_asks_to_be_reported(
    optgen: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    fail_with(monkeypatch, error)
    result = optgen("doctor")
    assert (result.exit_code, result.out) == (3, "")
    assert "Traceback" in result.err
    assert "optgen itself is wrong: " in result.err
    assert result.err.endswith("Fix: please report it with the lines above\n")


def test_what_the_system_refuses_is_no_bug(optgen: Any, tmp_path: Path) -> None:
    (tmp_path / "specs").write_text("a file", encoding="utf-8")
    result = optgen("new", "mine", "--specs", tmp_path / "specs" / "inner")
    assert (result.exit_code, result.out) == (2, "")
    assert result.err.startswith("the system refuses: ")
    assert "  Fix: check the path and its permissions\n" in result.err


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupt_is_neither_a_bug_nor_a_failed_check(
    optgen: Any, monkeypatch: pytest.MonkeyPatch, interrupt: BaseException
) -> None:
    fail_with(monkeypatch, interrupt)
    result = optgen("doctor")
    assert (result.exit_code, result.out) == (130, "")
    assert result.err == "interrupted; nothing was written\n"


def test_control_c_ends_a_command(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-m", "optgen", "list", "--specs", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.returncode, ran.stdout) == (130, "")
    assert ran.stderr == "interrupted; nothing was written\n"


def test_help_names_every_exit_code(optgen: Any) -> None:
    text = " ".join(optgen("--help").out.split())
    codes = text.split("Exit codes: ")[1].split(". ")[0]
    assert [int(part.split()[0]) for part in codes.split("; ")] == [0, 1, 2, 3, 130]


def test_click_can_run_it_too() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert (result.exit_code, result.output) == (0, f"optgen {package.__version__}\n")


def test_the_module_is_the_command() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "optgen", "list"], capture_output=True, text=True, timeout=60
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("family ")


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_the_quick_ways_import_nothing_heavy(argument: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "optgen", argument],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    imported = {line.split("|")[-1].strip() for line in ran.stderr.splitlines()}
    assert "optgen.cli" in imported
    assert imported.isdisjoint({"sympy", "jinja2", "rich", "numpy", "torch", "jax"})


@pytest.mark.skipif(sys.platform == "win32", reason="pipes differ on Windows")
@pytest.mark.parametrize("arguments", [["list"], ["show", "adam", "--json"], ["--help"]])
def test_a_closed_pipe_ends_a_command_quietly(arguments: list[str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "optgen", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (141, b"")
