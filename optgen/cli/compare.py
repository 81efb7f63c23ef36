"""`optgen compare`: are two rules equal? The verdict, its evidence and a witness."""

from __future__ import annotations

from pathlib import Path

import click

from optgen.cli import options, output
from optgen.configuration import find_spec, open_catalogue, spec_folders


@click.command("compare", short_help="Are two rules equal? A verdict, with a witness.")
@click.argument("left")
@click.argument("right")
@click.option(
    "--given",
    multiple=True,
    metavar="NAME=EXPR",
    help="Substitute a hyperparameter on both sides, or on one: left.NAME=..., right.NAME=...; "
    "EXPR is over the other hyperparameters. May be given several times.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="How many steps a run from the initial states may take to tell the two apart.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Seconds after which the verdict is 'unknown'.",
)
@options.specs
@options.as_json
def compare(
    left: str,
    right: str,
    given: tuple[str, ...],
    steps: int,
    timeout: float,
    specs: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Decide whether LEFT and RIGHT compute the same.

    The exit code is 0 for every verdict: equal, different and unknown are
    answers.
    """
    folders = spec_folders(specs)
    catalogue = open_catalogue(folders)
    sides = find_spec(catalogue, left, folders), find_spec(catalogue, right, folders)
    from optgen import verify

    with output.working(f"comparing {left} with {right}"):
        comparison = verify.compare(*sides, given=given, steps=steps, timeout=timeout)
    if as_json:
        output.document(comparison.to_json())
    else:
        output.text(verify.explain(comparison))
