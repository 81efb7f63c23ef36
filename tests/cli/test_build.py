"""`optgen build` end to end, in processes of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("optgen.verify.comparing")


def build(out: Path, *options: str) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """Build one small rule; also return what was imported."""
    arguments = ["build", "sgd", "--target", "numpy", "--dtype", "float32", "--out", str(out)]
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "optgen", *arguments, *options],
        capture_output=True,
        text=True,
        timeout=120,
    )
    imported = {
        line.split("|")[-1].strip()
        for line in ran.stderr.splitlines()
        if line.startswith("import time:")
    }
    return ran, imported


def test_a_build_that_is_up_to_date_imports_neither_sympy_nor_jinja2(tmp_path: Path) -> None:
    first, imported = build(tmp_path / "out")
    assert first.returncode == 0, first.stderr
    assert "sympy" in imported
    assert (tmp_path / "out" / "numpy" / "sgd.py").is_file()
    again, imported = build(tmp_path / "out", "--json")
    assert again.returncode == 0, again.stderr
    assert isinstance(json.loads(again.stdout), dict)
    assert imported.isdisjoint({"sympy", "jinja2", "rich"})
