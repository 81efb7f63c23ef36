"""The command group: turns errors into lines on stderr and exit codes, and knows nearest names."""

from __future__ import annotations

import errno
import traceback
from typing import Any, NoReturn

import click

from optgen.errors import InternalError, OptgenError, UsageError, nearest

BUG = 3
"""Exit code of a mistake of optgen itself; 1 is kept for checks that failed."""


class CommandGroup(click.Group):
    """A click group whose commands may raise `OptgenError`; commands are listed as they were added.

    An `OptgenError` becomes its lines on stderr and its exit code; an
    `InternalError` or any unforeseen exception becomes a traceback, the request
    to report it, and exit code 3.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which they were added."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one is answered with the nearest names."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            raise UsageError(
                f"there is no command '{name}'",
                fix=nearest(name, self.commands) or "see `optgen --help`",
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, with errors turned into exit codes."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except OptgenError as error:
            _end(str(error), error.exit_code, error)
        except OSError as error:
            if error.errno == errno.EPIPE:  # `optgen list | head`: click ends quietly
                raise
            _end(str(_of_system(error)), UsageError.exit_code, error)
        except Exception as error:
            _end(_report(error), BUG, error)


def _end(text: str, exit_code: int, cause: Exception) -> NoReturn:
    """Print the text to stderr, nothing added, and end the command."""
    click.echo(text, err=True)
    raise click.exceptions.Exit(exit_code) from cause


def _of_system(error: OSError) -> UsageError:
    return UsageError(
        f"the system refuses: {error.strerror or error}",
        where=error.filename,
        fix="check the path and its permissions",
    )


def _report(error: Exception) -> str:
    lines = "".join(traceback.format_exception(error)).rstrip()
    what = str(error) if isinstance(error, InternalError) else f"{type(error).__name__}: {error}"
    return (
        f"{lines}\n\noptgen itself is wrong: {what}\n  Fix: please report it with the lines above"
    )


def print_version(ctx: click.Context, _parameter: click.Parameter, asked: bool) -> None:
    """Print the version and stop, for the option `--version`."""
    if asked and not ctx.resilient_parsing:
        from optgen.version import __version__

        click.echo(f"optgen {__version__}")
        ctx.exit()
