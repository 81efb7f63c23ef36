"""The command line: `optgen list`, `show`, `compare`, `verify`, `build`, `bench` and the others.

No module of this package imports sympy, jinja2 or rich before a command runs:
`optgen --version`, `--help` and an up-to-date `optgen build` stay quick.
"""

from __future__ import annotations

import click

from optgen.cli.bench import bench
from optgen.cli.build import build
from optgen.cli.catalogue import list_rules, show
from optgen.cli.check import check
from optgen.cli.compare import compare
from optgen.cli.doctor import doctor
from optgen.cli.group import CommandGroup, print_version
from optgen.cli.new import new
from optgen.cli.relate import relate
from optgen.cli.verify import verify


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_version,
    help="Print the version and stop.",
)
def main() -> None:
    """A compiler with a proof checker for optimizer update rules.

    Exit codes: 0 fine; 1 a claim or a check failed; 2 wrong usage or a bad
    spec; 3 a mistake of optgen itself; 130 interrupted.
    """


for _command in (list_rules, show, compare, check, relate, verify, build, bench, new, doctor):
    main.add_command(_command)
