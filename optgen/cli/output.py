"""What commands print: one JSON document, tables and text on stdout; notes on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import click

_WIDE = 10_000
"""Width where nobody looks: a table that goes to a file or a pipe is never folded."""

_BAR = 24
"""Characters in a progress bar."""


def document(value: object) -> None:
    """Print one JSON document to stdout; the only thing a command prints there under `--json`."""
    click.echo(json.dumps(value, indent=2, allow_nan=False))


def text(value: str) -> None:
    """Print text to stdout."""
    click.echo(value)


def note(value: str) -> None:
    """Print a remark to stderr, out of the way of what stdout is read for."""
    click.echo(value, err=True)


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, indent: int = 0, tight: bool = False
) -> None:
    """Print a table to stdout: folded to the width of a terminal, whole lines elsewhere."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    console = Console(file=sys.stdout, width=None if terminal else _WIDE, highlight=False)
    grid = Table(
        box=None,
        collapse_padding=tight,  # one space between columns instead of two
        pad_edge=False,
        header_style="bold",
        show_header=any(header),
    )
    for index, title in enumerate(header):
        # A name is what people copy: the columns after it give way first.
        grid.add_column(title, overflow="fold", no_wrap=index == 0)
    for row in rows:
        # Text, not str: rich would take "[0, 1)" for markup.
        grid.add_row(*(Text(cell) for cell in row))
    if terminal:
        console.print(Padding(grid, (0, 0, 0, indent)))
        return
    with console.capture() as capture:
        console.print(Padding(grid, (0, 0, 0, indent), expand=False))
    for line in capture.get().splitlines():
        click.echo(line.rstrip())


@contextmanager
def working(what: str) -> Iterator[Callable[[int, int], None]]:
    """Say on a terminal what is going on, until it is done; prints nothing elsewhere.

    Yields a function that takes how many pieces are done and how many there are.

    No spinner: it would need a thread, and a process with threads cannot fork
    its workers.
    """
    shown = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def progress(done: int, total: int) -> None:
        if shown:
            bar = ("#" * round(_BAR * done / total)).ljust(_BAR, ".")
            sys.stderr.write(f"\r{what} [{bar}] {done} of {total}")
            sys.stderr.flush()

    if shown:
        sys.stderr.write(f"{what} ...")
        sys.stderr.flush()
    try:
        yield progress
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
