"""Runs spec files by path and gives the rules they declare, by name."""

from __future__ import annotations

import linecache
import runpy
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from types import FrameType

import optgen.modifiers
import optgen.spec
import optgen.symbols
from optgen import paths
from optgen.errors import Location, OptgenError, SpecError, UsageError, nearest
from optgen.spec import OptimizerSpec
from optgen.spec_files import spec_files


class Catalogue(Mapping[str, OptimizerSpec]):
    """Rules by name, in order of declaration; a rule answers to its full name too.

    Args:
        specs: The rules; no two may share a name or an identifier.

    Raises:
        SpecError: Two rules share a name or an identifier.
    """

    def __init__(self, specs: Iterable[OptimizerSpec]) -> None:
        self._specs: dict[str, OptimizerSpec] = {}
        self._aliases: dict[str, str] = {}
        taken: dict[str, OptimizerSpec] = {}
        for spec in specs:
            for name in dict.fromkeys((spec.name, spec.identifier, spec.full_name)):
                other = taken.setdefault(name, spec)
                if not _same(spec, other):
                    raise _clash(name, spec, other)
            self._specs[spec.name] = spec
            self._aliases |= {spec.identifier: spec.name, spec.full_name: spec.name}

    def __getitem__(self, name: str) -> OptimizerSpec:
        found = self._specs.get(self._aliases.get(name, name))
        if found is None:
            raise UsageError(
                f"there is no rule '{name}'",
                fix=nearest(name, (*self._specs, *self._aliases)) or "see `optgen list`",
            )
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._specs or name in self._aliases

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)


def _same(spec: OptimizerSpec, other: OptimizerSpec) -> bool:
    """Whether two specs are one rule, loaded twice: a file may build on another file's rule."""
    return spec is other or (spec.location == other.location and spec == other)


def _clash(name: str, spec: OptimizerSpec, other: OptimizerSpec) -> SpecError:
    called = (
        f"two rules are called '{name}': here"
        if name in (spec.name, spec.full_name) and name in (other.name, other.full_name)
        else f"'{spec.name}' and '{other.name}' are both '{name}' in identifiers: here"
    )
    return SpecError(
        f"{called} and at {other.location}", where=spec.location, fix="rename one of the two"
    )


def load_file(path: Path) -> tuple[OptimizerSpec, ...]:
    """Run one spec file and return the rules at its top level, in order of declaration.

    What the file prints goes to stderr: stdout is for what was asked of optgen.

    Raises:
        SpecError: The file cannot be read, raises, exits, or declares no rule.
    """
    if not path.is_file():
        raise SpecError(f"there is no spec file '{path}'", fix="check the path")
    linecache.checkcache(str(path))  # the written order is checked against the text as it is now
    try:
        with redirect_stdout(sys.stderr):
            namespace = runpy.run_path(str(path), run_name="<optgen spec>")
    except OptgenError as error:
        if error.where is None:
            error.where = _last_line_in(path, error)
        raise
    except SyntaxError as error:
        where = Location(error.filename or str(path), error.lineno or 1)
        raise SpecError(
            f"this is not Python: {error.msg}", where=where, fix="mend the line"
        ) from error
    except SystemExit as error:
        raise SpecError(
            "the spec file ends the process",
            where=_last_line_in(path, error),
            fix="a spec file only declares; remove the line",
        ) from error
    except Exception as error:
        if isinstance(error, OSError) and not _frames_in(path, error):
            raise SpecError(
                f"the spec file cannot be read: {error.strerror or error}",
                where=path,
                fix="check its permissions",
            ) from error
        raise SpecError(
            f"the spec file raises {type(error).__name__}: {error}",
            where=_last_line_in(path, error),
            fix=_fix(path, error),
        ) from error
    found = {id(v): v for v in namespace.values() if isinstance(v, OptimizerSpec)}
    for value in namespace.values():
        if isinstance(value, tuple | list):
            found |= {id(v): v for v in value if isinstance(v, OptimizerSpec)}
    if not found:
        raise SpecError(
            "the spec file declares no rule",
            where=Location(str(path), 1),
            fix="bind an OptimizerSpec to a name, or begin the file's name with _",
        )
    return tuple(found.values())


def _frames_in(path: Path, error: BaseException) -> list[tuple[FrameType, int]]:
    """Return the frames of a spec file that an error went through, each with its line."""
    walked = traceback.walk_tb(error.__traceback__)
    return [(f, line) for f, line in walked if f.f_code.co_filename == str(path)]


def _last_line_in(path: Path, error: BaseException) -> Location:
    frames = _frames_in(path, error)
    return Location(str(path), (frames[-1][1] or 1) if frames else 1)


_OFFERED = (optgen.symbols, optgen.spec, optgen.modifiers)
"""The modules that spec files import from."""


def _fix(path: Path, error: Exception) -> str:
    """Say how to mend the line of a spec file that raised an error of Python."""
    if isinstance(error, TypeError) and "truth value of Relational" in str(error):
        return (
            "a rule has no value yet to decide on: write Piecewise((a, grad > 0), (b, True)) "
            "for if, Max and Min of optgen.symbols for max and min"
        )
    if isinstance(error, NameError) and error.name:
        frames = _frames_in(path, error)
        own = {*frames[-1][0].f_globals, *frames[-1][0].f_locals} if frames else set()
        return _fix_name(error.name, {name for name in own if not name.startswith("__")})
    return "mend the line"


def _fix_name(name: str, own: set[str]) -> str:
    homes = {n: module.__name__ for module in _OFFERED for n in module.__all__}
    if name in homes:
        return f"add `from {homes[name]} import {name}`"
    made = f'a symbol of your own is made with {name} = symbol("{name}")'
    close = nearest(name, own) or nearest(name, homes)
    return f"{close} Otherwise {made}" if close else made


def load_catalogue(extra: Iterable[Path] = ()) -> Catalogue:
    """Load optgen's own rules and those of further folders or files.

    Raises:
        SpecError: A file is broken or two rules share a name.
        UsageError: A folder does not exist, or a file does not end in .py.
    """
    files = spec_files((paths.SPECS, *extra))
    return Catalogue(spec for file in files for spec in load_file(file))
