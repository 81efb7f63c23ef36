"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from optgen.errors import UsageError
from optgen.spec_files import spec_path

F = TypeVar("F", bound=Callable[..., Any])


def as_json(function: F) -> F:
    """Add `--json`, passed as `as_json`."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Print one JSON document on standard output, and nothing else there; "
        "an error leaves standard output empty.",
    )(function)


def _paths(
    _ctx: click.Context, _parameter: click.Parameter, given: tuple[str, ...]
) -> tuple[Path, ...]:
    return tuple(spec_path(text, "--specs") for text in given)


def specs(function: F) -> F:
    """Add the repeatable `--specs`, passed as `specs`, a tuple of paths."""
    return click.option(
        "--specs",
        "specs",
        multiple=True,
        callback=_paths,
        metavar="DIR",
        help="A further folder (or file) of rules; may be given several times. "
        "[tool.optgen] specs in pyproject.toml does the same.",
    )(function)


def only_one(
    _ctx: click.Context, parameter: click.Parameter, given: tuple[Path, ...]
) -> Path | None:
    """Return the value of an option that is given once or not at all."""
    if len(given) > 1:
        raise UsageError(
            f"{parameter.opts[0]} is given {len(given)} times",
            fix="give one folder that holds all of them",
        )
    return given[0] if given else None
