"""The digits example, run as a user runs it, on the generated kernels."""

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed (optgen[examples])")
pytest.importorskip("matplotlib", reason="matplotlib is not installed (optgen[examples])")

REPOSITORY = Path(__file__).resolve().parents[2]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the example in a process of its own, wide enough that no table cell wraps."""
    return subprocess.run(
        [sys.executable, REPOSITORY / "examples" / "train_digits.py", *arguments],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "COLUMNS": "160", "PYTHONIOENCODING": "utf-8"},
        check=False,
    )


def tables(output: str) -> list[list[list[str]]]:
    """Return the cells of every table printed, by table and row."""
    found: list[list[list[str]]] = []
    for line in output.splitlines():
        if line.startswith("┏"):
            found.append([])
        elif line.startswith("│"):
            found[-1].append([cell.strip() for cell in line.strip("│").split("│")])
    return found


@pytest.fixture(scope="module")
def all_rules(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Run the example with every kernel for 60 steps; give what it printed and its folder."""
    out = tmp_path_factory.mktemp("digits")
    result = run("--steps", "60", "--out", out)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout, out


def test_every_kernel_is_trained_and_lowers_the_loss(all_rules: tuple[str, Path]) -> None:
    rows = tables(all_rules[0])[0]
    kernels = {
        path.stem
        for path in (REPOSITORY / "generated" / "numpy").glob("*.py")
        if not path.stem.startswith("_") and "_TYPES" not in path.read_text()  # of a storage mix
    }
    left_out = set(re.findall(r"^(\w+) left out", all_rules[0], re.MULTILINE))
    assert {row[0] for row in rows} == kernels - left_out
    assert len({row[2] for row in rows}) == 1, "the first loss does not depend on the rule"
    for rule, _, first, last, train, test, _ in rows:
        assert float(last) < 0.9 * float(first), rule
        assert float(train) > 0.3, rule
        assert float(test) > 0.3, rule


def test_adam_l2_and_adamw_part_company(all_rules: tuple[str, Path]) -> None:
    rows = [[float(cell) for cell in row] for row in tables(all_rules[0])[1]]
    decays, distances, shares = ([row[index] for row in rows] for index in range(3))
    assert decays[0] == 0
    assert decays == sorted(set(decays))
    # With no decay both rules are Adam; only the rounding of `g + 0 p` and `p - 0 p` could differ.
    assert distances[0] <= 1e-5
    assert all(distance > 0.1 for distance in distances[1:])
    assert all(after > before - 0.02 for before, after in itertools.pairwise(shares))
    assert shares[-1] > 0.5
    coupled_norms, decoupled_norms = ([row[index] for row in rows] for index in (3, 4))
    assert coupled_norms[-1] < 0.5 * decoupled_norms[-1]


def test_the_curves_are_drawn(all_rules: tuple[str, Path]) -> None:
    assert (all_rules[1] / "digits.png").read_bytes().startswith(b"\x89PNG")


def test_two_runs_agree_to_the_last_byte(tmp_path: Path) -> None:
    printed = []
    for name in ("a", "b"):
        folder = tmp_path / name
        result = run(
            *("--steps", "10", "--rules", "adamw,adam_l2", "--out", folder),
            *("--record", folder / "gradients.npz"),
        )
        assert result.returncode == 0, result.stderr
        printed.append([[row[:6] for row in table] for table in tables(result.stdout)])
    assert printed[0] == printed[1]
    for file in ("digits.png", "gradients.npz"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_the_recorded_stream_has_the_shape_of_the_committed_one(tmp_path: Path) -> None:
    path = tmp_path / "gradients.npz"
    result = run("--steps", "2", "--rules", "adamw", "--out", tmp_path, "--record", path)
    assert result.returncode == 0, result.stderr
    assert "not compared" in result.stdout
    with np.load(path) as new, np.load(REPOSITORY / "tests/data/digits_gradients.npz") as old:
        assert new["gradients"].shape == old["gradients"].shape == (40, 64, 10)
        assert new["gradients"].dtype == old["gradients"].dtype == np.float32
        # Other roundings in the kernel and another BLAS may move the stream, but not far.
        np.testing.assert_allclose(new["param"], old["param"], rtol=1e-6)
        np.testing.assert_allclose(new["gradients"], old["gradients"], atol=1e-4)


def test_a_folder_without_kernels_says_how_to_make_them(tmp_path: Path) -> None:
    result = run("--generated", tmp_path, "--out", tmp_path)
    assert result.returncode == 1
    assert "optgen build --target numpy" in result.stderr


def test_an_unknown_rule_is_named(tmp_path: Path) -> None:
    result = run("--rules", "adamw,nonesuch", "--out", tmp_path)
    assert result.returncode == 2
    assert "nonesuch" in result.stderr
