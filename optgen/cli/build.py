"""`optgen build`: rules in, kernels out; the work is `optgen.pipeline`."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

from optgen.cli import options, output
from optgen.configuration import spec_folders

TARGETS = ("numpy", "c", "cuda")
DTYPES = ("float32", "float64")
_ARCH = re.compile(r"sm_\d+[af]?")


def _check_archs(
    _ctx: click.Context, _parameter: click.Parameter, archs: tuple[str, ...]
) -> tuple[str, ...]:
    for arch in archs:
        if not _ARCH.fullmatch(arch):
            raise click.BadParameter(f"'{arch}' is not an architecture such as sm_80")
    return archs


def _processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@click.command("build", short_help="Generate, compile and check kernels.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--target",
    "targets",
    multiple=True,
    type=click.Choice(TARGETS),
    help="What to generate; may be given several times. All targets if not given.",
)
@click.option(
    "--dtype",
    "dtypes",
    multiple=True,
    type=click.Choice(DTYPES),
    help="Type of the values; may be given several times. All types if not given.",
)
@click.option(
    "--storage",
    "storages",
    multiple=True,
    metavar="MIX",
    help="Types of arrays, param-grad-state[-master][+kahan|+stochastic], to build besides; "
    "may be given several times. Mixes that DIR holds are built again without being named.",
)
@click.option(
    "--arch",
    "archs",
    multiple=True,
    callback=_check_archs,
    metavar="sm_XX",
    help="GPU architecture to compile for; may be given several times.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("generated"),
    show_default=True,
    metavar="DIR",
    help="The folder to write to.",
)
@click.option(
    "--check", is_flag=True, help="Write nothing; exit with 1 if DIR is not what would be written."
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=_processors,
    show_default="processors",
    help="How many rules to work on at once.",
)
@options.specs
@options.as_json
@click.pass_context
def build(
    ctx: click.Context,
    names: tuple[str, ...],
    targets: tuple[str, ...],
    dtypes: tuple[str, ...],
    storages: tuple[str, ...],
    archs: tuple[str, ...],
    out: Path,
    check: bool,
    jobs: int,
    specs: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Generate, compile and check the kernels of the rules NAME, or of all rules."""
    from optgen.building.request import BuildRequest
    from optgen.pipeline import run_build
    from optgen.storage import parse_storage

    mixes = [parse_storage(text) for text in storages]
    request = BuildRequest(
        names=names,
        targets=tuple(dict.fromkeys(targets)) or TARGETS,
        dtypes=tuple(dict.fromkeys(dtypes)) or DTYPES,
        archs=tuple(dict.fromkeys(archs)),
        out=out,
        specs=spec_folders(specs),
        check=check,
        jobs=jobs,
        storages=tuple(sorted({str(mix) for mix in mixes if not mix.uniform})),
    )
    with output.working("building") as progress:
        report = run_build(request, progress)
    if as_json:
        output.document(report.to_json())
    else:
        header, rows = report.table()
        output.table(header, rows, tight=True)
        for line in report.summary:
            output.text(line)
    ctx.exit(report.exit_code)
