"""`optgen doctor`: what is on this machine, and what it is enough for."""

from __future__ import annotations

import click

from optgen.cli import options, output


@click.command("doctor", short_help="What is on this machine, and what it is enough for.")
@options.as_json
def doctor(as_json: bool) -> None:
    """Say which tools are here, how to get the rest, and which levels of `verify` can run."""
    from optgen.doctor import diagnose

    with output.working("looking around"):
        diagnosis = diagnose()
    if as_json:
        output.document(diagnosis.to_json())
        return
    output.table(
        ("tool", "version", "for"),
        [
            (t.name, t.version if t.version is not None else f"missing: {t.fix}", t.use)
            for t in diagnosis.tools
        ],
    )
    output.text("")
    output.table(
        ("level", "", "what it says"),
        [
            (r.name, "can run" if not r.reason else f"off: {r.reason}", r.says)
            for r in diagnosis.levels
        ],
    )
