"""One broken spec per way to break one; the error it must give stands at the end of its file.

The last comment block of each file, after `# error:`, is the text of the error,
paths relative to the repository. A long line goes on in the next one, indented
by six; `...` stands for words that belong to Python or sympy.
"""

import fnmatch
import hashlib
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from optgen import paths
from optgen.errors import OptgenError
from optgen.loader import Catalogue, load_file

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDER = REPOSITORY / "tests" / "specs_bad"
FILES = sorted(f for f in FOLDER.iterdir() if f.suffix in (".py", ".txt"))


def expected(file: Path) -> str:
    """Return the error that stands at the end of a broken spec."""
    _, found, block = file.read_text(encoding="utf-8").partition("\n# error:\n")
    assert found, f"{file.name} does not say which error it must give"
    lines = [line.removeprefix("#").removeprefix(" ") for line in block.splitlines()]
    return re.sub(r"\n {6,}", " ", "\n".join(lines))


def relative(text: str) -> str:
    """Return a text with paths relative to the repository, as on every machine."""
    return text.replace(f"{REPOSITORY}/", "").replace(f"{REPOSITORY}\\", "").replace("\\", "/")


def matches(text: str, pattern: str) -> bool:
    """Whether a text is the pattern, `...` standing for anything."""
    escaped = re.sub(r"([\[*?])", r"[\1]", pattern)
    return fnmatch.fnmatchcase(text, escaped.replace("...", "*"))


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_broken_spec_says_what_where_and_how_to_mend_it(file: Path) -> None:
    with pytest.raises(OptgenError) as caught:
        Catalogue(load_file(file))
    text = relative(str(caught.value))
    wanted = expected(file)
    assert matches(text, wanted), f"{text}\n\nis not\n\n{wanted}"
    assert caught.value.exit_code == 2
    assert len(text.splitlines()) == 3, "an error has three parts: what, where, fix"
    assert f"tests/specs_bad/{file.name}:" in text


def test_every_file_of_the_folder_is_a_case() -> None:
    assert len(FILES) > 70
    assert {f.suffix for f in FOLDER.iterdir() if f.is_file()} == {".py", ".txt"}


def _state(folder: Path) -> str:
    files = sorted(f for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts)
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file).encode() + file.read_bytes())
    return digest.hexdigest()


@pytest.mark.parametrize("command", [["list"], ["show", "bad"], ["build"]], ids=lambda c: c[0])
def test_command_line_refuses_every_broken_spec(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from optgen.cli import main

    good = tmp_path / "specs"
    good.mkdir()
    (good / "sgd.py").write_text((paths.SPECS / "sgd.py").read_text(encoding="utf-8"))
    monkeypatch.setattr(paths, "SPECS", good)  # one family, so that many runs are quick
    out = tmp_path / "generated"
    out.mkdir()
    (out / "kept.txt").write_text("the old output\n")
    (out / "MANIFEST.json").write_text("{}\n")  # a folder that optgen wrote
    before = _state(out)
    monkeypatch.chdir(tmp_path)
    for file in FILES:
        given, wanted = file, expected(file)
        if file.suffix != ".py":  # what is no Python is called .txt only here
            given = tmp_path / f"{file.stem}.py"
            given.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
            wanted = wanted.replace(f"tests/specs_bad/{file.name}", str(given))
        result = CliRunner().invoke(main, [*command, "--specs", str(given)])
        assert result.exit_code == 2, (file.name, result.output)
        assert result.stdout == ""
        assert "Traceback" not in result.output
        assert matches(relative(result.stderr).rstrip("\n"), wanted), file.name
    assert _state(out) == before
