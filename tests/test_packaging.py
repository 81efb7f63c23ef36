"""What ends up in the wheel and in the sdist, and that the wheel works by itself."""

import importlib.util
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
BUILD = "import sys; from hatchling.build import {0}; print({0}(sys.argv[1]))"

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("hatchling") is None, reason="hatchling is not installed"
)


def build(kind: str, source: Path, folder: Path) -> Path:
    """Build with hatchling's own hooks, as pip does, and return the file."""
    command = [sys.executable, "-c", BUILD.format(f"build_{kind}"), str(folder)]
    run = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return folder / run.stdout.split()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", REPOSITORY, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", REPOSITORY, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def members(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_holds_package_specs_and_templates(wheel: Path) -> None:
    found = members(wheel)
    wanted = {"optgen/py.typed", "optgen/__main__.py", "optgen/_data/specs/adam.py"}
    wanted |= {
        f"optgen/_data/{file.relative_to(REPOSITORY).as_posix()}"
        for folder in ("specs", "templates")
        for file in (REPOSITORY / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    wanted |= {
        file.relative_to(REPOSITORY).as_posix() for file in (REPOSITORY / "optgen").rglob("*.py")
    }
    assert wanted - found == set()


def test_wheel_holds_nothing_else(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in members(wheel)}
    assert {t for t in tops if not t.endswith(".dist-info")} == {"optgen"}
    data = {name.split("/")[2] for name in members(wheel) if name.startswith("optgen/_data/")}
    assert data <= {"specs", "templates", "generated"}
    assert not any("__pycache__" in name or name.endswith(".pyc") for name in members(wheel))


def test_sdist_holds_what_the_wheel_is_made_from_and_the_tests(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"pyproject.toml", "README.md", "LICENSE", "specs/adam.py", "tests/test_packaging.py"}
    assert wanted - found == set()
    assert not any(name.startswith((".venv", ".git/", "build/")) for name in found)


def run(command: list[str], cwd: Path, **environment: str) -> str:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        command, cwd=cwd, env=clean | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_wheel_finds_its_own_specs(unpacked: Path, tmp_path: Path) -> None:
    code = "from optgen import paths; print(paths.SPECS); print(paths.TEMPLATES)"
    command = [sys.executable, "-c", code]
    specs, templates = run(command, tmp_path, PYTHONPATH=str(unpacked)).split()
    assert Path(specs) == unpacked / "optgen" / "_data" / "specs"
    assert Path(templates) == unpacked / "optgen" / "_data" / "templates"


def test_unpacked_wheel_lists_the_rules(unpacked: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "optgen", "list"]
    assert "adamw" in run(command, tmp_path, PYTHONPATH=str(unpacked))


@pytest.mark.slow
def test_sdist_becomes_a_wheel_that_installs(sdist: Path, tmp_path: Path) -> None:
    """The way to a user: sdist, wheel, virtual environment; needs the package index."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = (p for p in tmp_path.iterdir() if p.is_dir())
    made = build("wheel", source, tmp_path)
    venv.create(tmp_path / "venv", with_pip=True)
    scripts = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    run([str(scripts / "python"), "-m", "pip", "install", "-q", str(made)], tmp_path)
    assert "adamw" in run([str(scripts / "optgen"), "list"], tmp_path)
    assert run([str(scripts / "optgen"), "--version"], tmp_path).startswith("optgen ")
