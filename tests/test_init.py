"""`import optgen` gives few names and costs nothing until one is used."""

import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import optgen
from optgen import paths, version
from optgen.authoring import write_rule


def heavy_modules(code: str) -> str:
    """Run code in a fresh process and return which heavy modules it has imported."""
    probe = (
        "import sys\n" + code + "\nprint([m for m in "
        "('sympy', 'jinja2', 'rich', 'numpy', 'torch', 'jax') if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60
    )
    return ran.stdout.splitlines()[-1]


def test_there_are_few_public_names() -> None:
    assert len(optgen.__all__) <= 14
    assert set(optgen.__all__) == set(optgen._HOMES)
    assert set(optgen.__all__) <= set(dir(optgen))


@pytest.mark.parametrize("name", sorted(set(optgen.__all__) - {"compare"}))
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(optgen, name) is not None


def test_compare_is_that_of_verify() -> None:
    comparing = pytest.importorskip("optgen.verify.comparing")
    assert optgen.compare is comparing.compare


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'optgen' has no attribute 'lod_spec'"):
        optgen.lod_spec  # noqa: B018


def test_the_version_is_the_installed_one() -> None:
    assert optgen.__version__ == metadata.version("optgen")


def test_importing_optgen_imports_nothing_heavy() -> None:
    assert heavy_modules("import optgen; optgen.__version__; optgen.OptgenError") == "[]"


def test_load_spec_knows_short_and_full_names() -> None:
    assert optgen.load_spec("adam_l2").full_name == "adam+l2"
    assert optgen.load_spec("adam+l2").name == "adam_l2"


def test_load_spec_names_the_nearest_rules() -> None:
    with pytest.raises(optgen.OptgenError, match="there is no rule 'adamm'") as caught:
        optgen.load_spec("adamm")
    assert "did you mean 'adam'" in str(caught.value)


def test_load_spec_reads_further_folders(tmp_path: Path) -> None:
    write_rule("mine", tmp_path)
    assert optgen.load_spec("mine", specs=tmp_path).name == "mine"
    assert optgen.load_spec("mine", specs=[str(tmp_path), tmp_path, paths.SPECS]).name == "mine"


def test_a_checkout_that_was_never_installed_has_a_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nothing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", nothing)
    project = tomllib.loads((paths.PACKAGE.parent / "pyproject.toml").read_text("utf-8"))
    assert version._version() == project["project"]["version"]
