"""Which rules are seen from the current folder: `[tool.optgen]` in pyproject.toml, and `--specs`.

The pyproject.toml is the nearest one with that table, in the current folder or above it.

Imports nothing heavy: `optgen build` decides from file contents, before sympy.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from optgen import paths
from optgen.errors import UsageError, nearest
from optgen.spec_files import spec_path

if TYPE_CHECKING:
    from optgen.loader import Catalogue
    from optgen.spec import OptimizerSpec

_KEYS = ("specs",)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What `[tool.optgen]` says.

    Attributes:
        specs: Further folders or files of rules, resolved against the folder of pyproject.toml.
        source: The pyproject.toml that was read, or None.
    """

    specs: tuple[Path, ...] = ()
    source: Path | None = None


def read_configuration(folder: Path | None = None) -> Configuration:
    """Read the nearest `[tool.optgen]` of a pyproject.toml in `folder` or a folder above it.

    Args:
        folder: Where to begin; the current folder if None.

    Raises:
        UsageError: A file on the way is not TOML, or the table holds what optgen does not know.
    """
    start = folder or Path()
    for above in (start, *start.absolute().parents):
        source = above / "pyproject.toml"
        table = _table(source) if source.is_file() else None
        if table is not None:
            return _configuration(table, source)
    return Configuration()


def _table(source: Path) -> object:
    """Return `[tool.optgen]` of a pyproject.toml, or None."""
    try:
        document = tomllib.loads(source.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"this is not TOML: {error}", where=source, fix="mend the file") from None
    tool = document.get("tool")
    return tool.get("optgen") if isinstance(tool, dict) else None


def _configuration(table: object, source: Path) -> Configuration:
    if not isinstance(table, dict):
        raise UsageError(
            "tool.optgen is not a table", where=source, fix='write [tool.optgen], specs = ["specs"]'
        )
    for key in table:
        if key not in _KEYS:
            raise UsageError(
                f"[tool.optgen] has no setting '{key}'",
                where=source,
                fix=nearest(key, _KEYS) or "the one setting is specs, a list of folders",
            )
    specs = table.get("specs", [])
    if not isinstance(specs, list) or not all(isinstance(s, str) for s in specs):
        raise UsageError(
            f"[tool.optgen] specs is not a list of folders: {specs!r}",
            where=source,
            fix='write specs = ["specs"]',
        )
    return Configuration(tuple(source.parent / spec_path(s, source) for s in specs), source)


def spec_folders(given: Iterable[Path] = (), folder: Path | None = None) -> tuple[Path, ...]:
    """Return the folders of rules besides optgen's own: configured ones, then those given.

    A folder that is named twice counts once; optgen's own folder is left out,
    since it is always read.
    """
    return _further((*read_configuration(folder).specs, *given))


def _further(folders: Iterable[Path]) -> tuple[Path, ...]:
    found: dict[Path, Path] = {}
    for path in folders:
        found.setdefault(path.resolve(), path)
    found.pop(paths.SPECS.resolve(), None)
    return tuple(found.values())


def unread_specs(known: Iterable[Path], folder: Path | None = None) -> Path | None:
    """Return `./specs` if it holds optgen rules that are not among the folders that are read."""
    here = (folder or Path()) / "specs"
    read = {p.resolve() for p in (paths.SPECS, *known)}
    if here.resolve() in read or not here.is_dir():
        return None
    return here if any("optgen" in _text(file) for file in sorted(here.glob("*.py"))) else None


def unread_hint(known: Iterable[Path], folder: Path | None = None) -> str:
    """Say how to have `./specs` read where it is not, or return an empty string."""
    unread = unread_specs(known, folder)
    if unread is None:
        return ""
    name = unread.as_posix()
    return (
        f"the rules in ./{name} are not read: add --specs {name}, "
        f'or [tool.optgen] specs = ["{name}"] to pyproject.toml'
    )


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")


def open_catalogue(folders: Sequence[Path]) -> Catalogue:
    """Load optgen's own rules and those of `folders` (as `spec_folders` gives them)."""
    from optgen.loader import load_catalogue

    return load_catalogue(folders)


def find_spec(catalogue: Catalogue, name: str, folders: Sequence[Path]) -> OptimizerSpec:
    """Return one rule of a catalogue.

    Raises:
        UsageError: There is none of that name; says so too if `./specs` is there but not read.
    """
    try:
        return catalogue[name]
    except UsageError as error:
        hint = unread_hint(folders)
        if not hint:
            raise
        raise UsageError(error.what, where=error.where, fix=f"{error.fix}; {hint}") from None


def load_spec(name: str, *, specs: Path | str | Iterable[Path | str] = ()) -> OptimizerSpec:
    """Return one rule by its name, short or full: `adamw`, `adam_l2`, `adam+l2`.

    Args:
        name: The rule.
        specs: Further folders or files of rules, or one; pyproject.toml is not looked at.

    Raises:
        UsageError: There is no such rule; the message names the nearest ones.
        SpecError: A spec file is broken.
    """
    given = (specs,) if isinstance(specs, Path | str) else specs
    return open_catalogue(_further(spec_path(str(s), "specs") for s in given))[name]
