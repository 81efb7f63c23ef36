"""`optgen bench`: how near to the speed of memory, and beside whom?"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from datetime import date
from itertools import product
from pathlib import Path

import click

from optgen.cli import options, output
from optgen.configuration import spec_folders
from optgen.errors import UsageError

WORKLOADS = ("large", "gpt2", "small", "sizes", "call")
RIVALS = ("naive", "torch", "torch-compiled", "optax")


@click.command("bench", short_help="Time kernels against the memory, and against other libraries.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--workload",
    "chosen",
    multiple=True,
    type=click.Choice(WORKLOADS),
    help="What to update: one large tensor, GPT-2 small's, 500 small ones, sizes from 10^2 to "
    "10^8, or next to nothing; may be given several times. large if not given.",
)
@click.option("--target", "targets", multiple=True, type=click.Choice(("c", "numpy")))
@click.option(
    "--against",
    "rivals",
    multiple=True,
    type=click.Choice((*RIVALS, "nobody")),
    help="Whom to compare with; may be given several times. All that are installed if not given, "
    "torch-compiled excepted.",
)
@click.option("--elements", type=click.IntRange(min=1), help="Of the large tensor: 2^24.")
@click.option("--turns", type=click.IntRange(min=1), default=41, show_default=True)
@click.option("--dtype", type=click.Choice(("float32", "float64")), default="float32")
@click.option(
    "--storage",
    "storages",
    metavar="MIX",
    multiple=True,
    help="Types of arrays, as in `optgen build --storage`; may be given several times. Only ours "
    "and the floor take part.",
)
@click.option("--threads", type=click.IntRange(min=1), help="For everyone; all cores if not given.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="After so long on one rule and workload, contestants slower than 50 ms stop.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Where to write everything as JSON.")
@click.option("--plot", type=click.Path(path_type=Path), help="Where to draw it, as PNG.")
@options.specs
@options.as_json
def bench(
    names: tuple[str, ...],
    chosen: tuple[str, ...],
    targets: tuple[str, ...],
    rivals: tuple[str, ...],
    elements: int | None,
    turns: int,
    dtype: str,
    storages: tuple[str, ...],
    threads: int | None,
    seconds: float,
    out: Path | None,
    plot: Path | None,
    specs: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Time NAME, or adamw, on this machine.

    Everything is timed in turns in one run. The floor is a compiled loop that moves the bytes
    that a step must move, and computes nothing; whoever takes part has shown before that it
    computes the rule.
    """
    for file in (out, plot):
        if file is not None:
            _check_writable(file)
    _use_threads(threads)
    from optgen.bench.contestants import Subject
    from optgen.bench.machine import machine
    from optgen.bench.measure import Plan, measure
    from optgen.bench.report import HEADER, left_out, rows
    from optgen.bench.results import Run
    from optgen.bench.workloads import LARGE, workloads
    from optgen.loader import load_catalogue

    catalogue = load_catalogue(spec_folders(specs))
    rules = [catalogue[name] for name in dict.fromkeys(names or ("adamw",))]
    plan = Plan(
        targets=tuple(dict.fromkeys(targets)) or ("c", "numpy"),
        rivals=_rivals(rivals),
        dtype=dtype,
        turns=turns,
        seconds=seconds,
    )
    asked = [w for name in chosen or ("large",) for w in workloads(name, elements or LARGE)]
    for rule, storage in product(rules, storages):
        Subject.of(rule, dtype, storage)  # a mix that makes no sense is refused before anything
    if storages and not rivals:
        plan = replace(plan, rivals=())
    found = []
    for rule in rules:
        for workload, storage in product(asked, storages or ("",)):
            output.note(f"{rule.name}{storage and f' in {storage}'}, {workload.title} ...")
            found.append(measure(rule, workload, replace(plan, storage=storage)))
    command = " ".join(["optgen bench", *_said()])
    run = Run(command, date.today().isoformat(), machine(), turns, tuple(found))
    if out is not None:
        _write(out, json.dumps(run.to_json(), indent=1) + "\n")
    if plot is not None:
        from optgen.bench.plot import draw

        draw(run, plot)
    if as_json:
        output.document(run.to_json())
        return
    output.table(HEADER, rows(found))
    for line in left_out(found):
        output.text(line)


def _rivals(given: tuple[str, ...]) -> tuple[str, ...]:
    if "nobody" in given:
        if len({*given}) > 1:
            raise UsageError("--against nobody stands beside others", fix="leave one of them out")
        return ()
    return tuple(dict.fromkeys(given)) or ("naive", "torch", "optax")


def _use_threads(threads: int | None) -> None:
    """Give everyone the same threads, before any library starts some."""
    count = threads or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else threads
    if count:
        os.environ["OMP_NUM_THREADS"] = str(count)
    if threads and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if threads > len(cores):
            raise UsageError(
                f"--threads {threads} is more than the {len(cores)} cores there are",
                fix="give fewer",
            )
        os.sched_setaffinity(0, cores[:threads])


def _said() -> list[str]:
    """Return what was asked for, but for where results go."""
    words = sys.argv[2:] if len(sys.argv) > 1 and sys.argv[1] == "bench" else []
    places = ("--out", "--plot")
    return [
        word
        for before, word in zip(["", *words], words, strict=False)
        if before not in places and not word.startswith(places)
    ]


def _check_writable(file: Path) -> None:
    """Refuse a file that cannot be written before anything is measured."""
    if file.is_dir() or not file.parent.is_dir() or not os.access(file.parent, os.W_OK):
        raise UsageError(
            "the result could not be written there",
            where=file,
            fix="name a file in a folder that exists and may be written",
        )


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"the result cannot be written: {error.strerror or error}",
            where=file,
            fix="name a file in a folder that exists and may be written",
        ) from None
