"""README's commands, snippets and outputs are what optgen does today."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from optgen.building.request import BuildRequest
from optgen.cli import main
from optgen.crosscheck.numpy_run import load_module
from optgen.loader import load_file
from optgen.pipeline import run_build

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the code blocks of one language."""
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.M | re.S)
    return [text for found, text in fences if found == language]


def test_the_quick_start_has_exactly_two_command_lines():
    lines = [line for block in blocks("sh") for line in block.splitlines() if "venv" in line]
    assert lines == [
        'python3 -m venv .venv && .venv/bin/pip install -e ".[cuda]" && .venv/bin/optgen build',
        'python3 -m venv .venv && .venv/bin/pip install -e ".[test]" && .venv/bin/python -m pytest',
    ]


@pytest.fixture
def own_specs(tmp_path: Path) -> Path:
    """Return a folder that holds README's rule."""
    (rule,) = [block for block in blocks("python") if "OptimizerSpec(" in block]
    assert len([line for line in rule.splitlines() if line.strip()]) <= 10
    folder = tmp_path / "specs"
    folder.mkdir()
    (folder / "my_signum.py").write_text(rule)
    return folder


def test_the_rule_of_ten_lines_builds_and_runs(own_specs: Path, tmp_path: Path):
    (spec,) = load_file(own_specs / "my_signum.py")
    out = tmp_path / "generated"
    request = BuildRequest((spec.name,), ("numpy",), ("float32",), (), out, (own_specs,))
    report = run_build(request)
    assert report.exit_code == 0
    text = (out / "numpy" / "my_signum.py").read_text()
    kernel = load_module("my_signum", text)
    param = np.zeros(3)
    kernel.step(param, np.array([2.0, -3.0, 0.0]), kernel.init(param), lr=0.5)
    assert param.tolist() == [-0.5, 0.5, 0.0]


def test_the_three_lines_that_use_a_kernel_run():
    (snippet,) = [block for block in blocks("python") if "generated.numpy" in block]
    assert len(snippet.splitlines()) == 3
    code = f"""
import numpy as np
param, grad = np.ones(4), np.ones(4)
{snippet}
assert (param < 1).all() and state["step"] == 1
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("block", blocks("console"))
def test_what_commands_print_is_what_readme_shows(block: str):
    command, _, expected = block.partition("\n")
    words = command.removeprefix("$ optgen ").split()
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0
    assert result.output == expected


def test_the_certificate_commands_run(tmp_path: Path):
    (block,) = (block for block in blocks("sh") if "optgen check" in block)
    for command in block.splitlines():
        words = command.replace("proof.json", str(tmp_path / "proof.json")).split()[1:]
        assert CliRunner().invoke(main, words).exit_code == 0
    script = [sys.executable, str(ROOT / "optgen/checker.py"), str(tmp_path / "proof.json")]
    assert subprocess.run(script, check=False, cwd=tmp_path).returncode == 0


def test_the_table_is_what_a_build_prints_but_for_the_times(tmp_path: Path):
    rules = ("adamw", "lamb", "sgd")
    request = BuildRequest(
        rules, ("numpy", "c", "cuda"), ("float32", "float64"), (), tmp_path / "generated", ()
    )
    report = run_build(request)
    (table,) = [block for block in blocks("") if "B/param" in block]
    if any(row.compile.startswith("off") for row in report.rows):
        pytest.skip("no NVRTC, or no C compiler: the table of README has their columns")
    for row in report.rows:
        cells = row.cells()[:-1]
        # Registers depend on the compiler's version, as does the C compiler's own; no more does.
        loose = {6: r"\d+"} | ({4: r"\w+ [\d.]+"} if row.target == "c" else {})
        pattern = r"\s+".join(loose.get(i) or re.escape(c) for i, c in enumerate(cells) if c)
        assert re.search(pattern, table), cells
