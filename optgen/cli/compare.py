"""`optgen compare`: are two rules equal? The verdict, its evidence and a witness."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from optgen.cli import options, output
from optgen.cli.check import write_certificate
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
    help="How many steps a run from the initial states may take to tell the two apart.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds after which the verdict is 'unknown'.",
)
@click.option(
    "--certificate",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the proof to a file that `optgen check` reads; only where the rules are equal.",
)
@options.specs
@options.as_json
def compare(
    left: str,
    right: str,
    given: tuple[str, ...],
    steps: int | None,
    timeout: float | None,
    certificate: Path | None,
    specs: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Decide whether LEFT and RIGHT compute the same.

    The exit code is 0 for every verdict: equal, equal while some hyperparameters
    are constant, different and unknown are answers.
    """
    folders = spec_folders(specs)
    catalogue = open_catalogue(folders)
    sides = find_spec(catalogue, left, folders), find_spec(catalogue, right, folders)
    from optgen import verify

    # What is not given is left to optgen.verify: its defaults are defined there, once.
    limits = {"steps": steps, "timeout": timeout}
    options: dict[str, Any] = {k: v for k, v in limits.items() if v is not None}
    with output.working(f"comparing {left} with {right}"):
        comparison = verify.compare(*sides, given=given, **options)
    if certificate is not None:
        write_certificate(certificate, comparison.certificate)
    if as_json:
        output.document(comparison.to_json())
    else:
        output.text(verify.explain(comparison))
