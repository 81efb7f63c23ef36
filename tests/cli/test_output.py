"""Tables and progress, on a terminal and elsewhere."""

import io
import json
import sys
import threading

import pytest

from optgen.cli import output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_brackets_are_text_and_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("name", "domain"), [("lr", "[0, oo)"), ("x", "[bold]y[/bold]")])
    assert capsys.readouterr().out == "name  domain\nlr    [0, oo)\nx     [bold]y[/bold]\n"


def test_a_terminal_folds_and_keeps_the_first_column_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    output.table(("name", "what"), [("a_long_name_of_a_rule", "many words " * 6)])
    lines = terminal.getvalue().splitlines()
    assert len(lines) > 2
    assert any("a_long_name_of_a_rule" in line for line in lines)


def test_progress_is_shown_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with output.working("thinking") as progress:
        progress(1, 2)
    assert capsys.readouterr() == ("", "")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    threads = threading.active_count()
    with output.working("thinking") as progress:
        assert terminal.getvalue() == "thinking ..."
        assert threading.active_count() == threads
        progress(1, 2)
        assert terminal.getvalue().endswith(f"\rthinking [{'#' * 12}{'.' * 12}] 1 of 2")
    assert terminal.getvalue().endswith("1 of 2\r\x1b[K")
    assert capsys.readouterr().out == ""


def test_a_document_holds_no_number_that_json_does_not_know() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        output.document({"value": float("nan")})


def test_a_document_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    output.document({"name": "θ", "values": [1, None]})
    text = capsys.readouterr().out
    assert json.loads(text) == {"name": "θ", "values": [1, None]}
    assert text.isascii()
