"""More attacks that must stay without success: on the checker, on files and on limits."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from optgen.cli import main


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments])


ENDLESS = Path("/dev/zero")


@pytest.mark.skipif(not ENDLESS.exists(), reason="this system has no file without an end")
def test_a_file_without_an_end_is_too_large() -> None:
    """Such a file says that its size is 0."""
    found = run("check", str(ENDLESS))
    assert found.exit_code == 2
    assert "the file is too large for a certificate" in found.stderr


@pytest.mark.parametrize("arguments", [("verify", "adam"), ("compare", "adam", "adam")])
def test_what_is_no_number_is_no_limit(arguments: tuple[str, ...]) -> None:
    found = run(*arguments, "--timeout", str(math.nan))
    assert found.exit_code == 2
    assert "timeout" in found.stderr
    assert "Fix: allow" in found.stderr
