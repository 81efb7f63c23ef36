"""`optgen verify`: do the claims hold, and does generated code do what its rule says?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from optgen.cli import foreign, options, output
from optgen.cli.levels import VerifyReport, VerifyRequest, run_levels
from optgen.configuration import spec_folders
from optgen.doctor import LEVELS


@click.command("verify", short_help="Check claims and generated code, level by level.")
@click.argument("names", nargs=-1, metavar="[NAME|CLAIM]...")
@click.option(
    "--level",
    "levels",
    multiple=True,
    type=click.Choice([level.name for level in LEVELS]),
    help="A level to run; may be given several times. All that can run if not given.",
)
@click.option(
    "--claims",
    multiple=True,
    callback=options.only_one,
    type=click.Path(path_type=Path, exists=True),
    metavar="DIR",
    help="A folder (or file) of claims to check besides the rules.",
)
@foreign.options
@options.specs
@options.as_json
@click.pass_context
def verify(
    ctx: click.Context,
    /,
    names: tuple[str, ...],
    levels: tuple[str, ...],
    claims: Path | None,
    specs: tuple[Path, ...],
    as_json: bool,
    **kernel: Any,
) -> None:
    """Check rules and claims, at every level that this machine has the tools for.

    Exits with 1 if a check failed or stayed unknown, with 2 if a level that was
    asked for by name could not run. With --ptx, a kernel that optgen did not
    write is compared with a rule: 0 proved, 1 refuted or unknown.
    """
    code = foreign.verify_foreign({**kernel, "specs": spec_folders(specs)}, names, levels, as_json)
    if code is not None:
        ctx.exit(code)
    request = VerifyRequest(names, tuple(dict.fromkeys(levels)), claims, spec_folders(specs))
    with output.working("verifying"):
        report = run_levels(request)
    if as_json:
        output.document(report.to_json())
    else:
        _print(report)
    ctx.exit(report.exit_code)


def _print(report: VerifyReport) -> None:
    rows = [
        (found.level, check.subject, check.outcome, check.detail)
        for found in report.levels
        for check in found.checks
    ]
    if rows:
        output.table(("level", "what", "outcome", ""), rows)
    for found in report.levels:
        if found.off:
            output.text(f"{found.level}: not run: {found.off}")
            continue
        count = len(found.checks)
        passed = sum(check.outcome == "passed" for check in found.checks)
        output.text(f"{found.level}: {passed} of {count} passed")
        for note in found.notes:
            output.text(f"  {note}")
