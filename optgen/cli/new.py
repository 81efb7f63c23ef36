"""`optgen new`: a commented rule file to start from."""

from __future__ import annotations

from pathlib import Path

import click

from optgen.cli import options, output
from optgen.configuration import spec_folders
from optgen.spec_files import spec_path


@click.command("new", short_help="Write a commented rule file to start from.")
@click.argument("name")
@click.option(
    "--specs",
    "folder",
    type=click.Path(file_okay=False),
    callback=lambda _ctx, _parameter, given: spec_path(given, "--specs"),
    metavar="DIR",
    default="specs",
    help="The folder to write to; ./specs if not given.",
)
@options.as_json
def new(name: str, folder: Path, as_json: bool) -> None:
    """Write the rule file NAME.py, commented and ready to build, to change from there."""
    from optgen import authoring

    written = authoring.write_rule(name, folder, read=spec_folders())
    if as_json:
        output.document(written.to_json())
        return
    output.text(f"wrote {written.path}: momentum SGD, to change from there. Next:")
    for command in written.commands:
        output.text(f"  {command}")
    if written.setting:
        output.text("To leave --specs away, add to the pyproject.toml of this folder:")
        for line in written.setting:
            output.text(f"  {line}")
