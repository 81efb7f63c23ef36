"""`optgen relate`: is every run of one rule a run of another? A map, or a proof of none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from optgen.cli import options, output
from optgen.configuration import find_spec, open_catalogue, spec_folders


@click.command("relate", short_help="Is every run of one rule a run of another? With the map.")
@click.argument("left")
@click.argument("right")
@click.option(
    "--given",
    multiple=True,
    metavar="NAME=EXPR",
    help="Fix a hyperparameter: left.NAME=..., or right.NAME=... over those of LEFT; "
    "without a side on both. May be given several times.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds after which the verdict is 'unknown'.",
)
@options.specs
@options.as_json
def relate(
    left: str,
    right: str,
    given: tuple[str, ...],
    timeout: float | None,
    specs: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Search a map under which every run of LEFT is a run of RIGHT, or prove there is none.

    The map gives the hyperparameters and the states of RIGHT in terms of LEFT's.
    The exit code is 0 for every verdict: related, none and unknown are answers.
    """
    folders = spec_folders(specs)
    catalogue = open_catalogue(folders)
    sides = find_spec(catalogue, left, folders), find_spec(catalogue, right, folders)
    from optgen import relations

    # What is not given is left to optgen.relations: its default is defined there, once.
    limits: dict[str, Any] = {} if timeout is None else {"timeout": timeout}
    with output.working(f"relating {left} to {right}"):
        found = relations.relate(*sides, given=given, **limits)
    if as_json:
        output.document(found.to_json())
    else:
        output.text(relations.explain(found))
