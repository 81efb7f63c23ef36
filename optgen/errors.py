"""Errors that a user meets, each with what is wrong, where, and how to mend it.

Every error that optgen raises on purpose is an `OptgenError`; the command line
turns it into three lines and an exit code. A mistake of optgen itself is an
`InternalError`. Nothing here imports anything but the standard library.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a source file.

    Attributes:
        file: Path of the file, as it was given to Python.
        line: Line number, counted from 1.
    """

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class OptgenError(Exception):
    """Base of every error that optgen raises on purpose.

    Args:
        what: What is wrong, one sentence.
        where: The place: a `Location`, or words (`specs/adam.py:14, rule 3 (denom)`).
        fix: What the reader can do about it, one sentence.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: object = None, fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        lines = [self.what]
        if self.where is not None:
            lines.append(f"  at {self.where}")
        if self.fix:
            lines.append(f"  Fix: {self.fix}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        # Rules are built in processes of their own: an error must travel with all it says,
        # whatever its constructor asks for.
        return _restore, (type(self), self.args, self.__dict__)


def _restore(
    kind: type[OptgenError], args: tuple[object, ...], state: dict[str, object]
) -> OptgenError:
    """Make an error again from what was pickled of it."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class SpecError(OptgenError):
    """An optimizer rule is declared wrongly."""


class UsageError(OptgenError):
    """The command line or an API call asks for something that does not exist."""


class ClaimError(OptgenError):
    """A claim file cannot be read."""


class RenderError(OptgenError):
    """A template or an output folder cannot be used."""


class BackendUnavailable(OptgenError):
    """A tool that a target needs is not on this machine."""


class CompileError(OptgenError):
    """A compiler refused generated code; keeps the command and what it printed."""

    def __init__(
        self,
        what: str,
        *,
        command: str,
        output: str,
        fix: str = "please report it with the lines below",
    ) -> None:
        super().__init__(what, where=command, fix=f"{fix}\n{output}")
        self.command = command
        self.output = output


class LaunchError(OptgenError):
    """A kernel could not be launched, or the CUDA driver refused what that needs."""


class CheckFailed(OptgenError):
    """Generated code does not do what its rule says, or a claim does not hold."""

    exit_code = 1


class InternalError(Exception):
    """A mistake in optgen itself; please report it."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `did you mean 'adamw'?` for the known names closest to `name`, or an empty string.

    Capital and small letters count as the same.
    """
    spelled: dict[str, list[str]] = {}
    for word in sorted(set(known)):
        spelled.setdefault(word.lower(), []).append(word)
    near = difflib.get_close_matches(name.lower(), [*spelled], n=3, cutoff=0.5)
    close = [word for key in near for word in spelled[key]][:3]
    return "did you mean " + " or ".join(f"'{c}'" for c in close) + "?" if close else ""
