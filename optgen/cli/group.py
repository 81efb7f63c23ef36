"""The command group: turns errors into lines on stderr and exit codes, and knows nearest names."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import click

from optgen.errors import InternalError, OptgenError, UsageError, nearest

BUG = 3
"""Exit code of a mistake of optgen itself; 1 is kept for checks that failed."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells give it: 128 and the number of SIGINT."""

CLOSED_PIPE = 141
"""Exit code where nobody reads on (`optgen list | head -1`): 128 and the number of SIGPIPE."""


class CommandGroup(click.Group):
    """A click group whose commands may raise `OptgenError`; commands are listed as they were added.

    An `OptgenError` becomes its lines on stderr and its exit code; an
    `InternalError` or any unforeseen exception becomes a traceback, the request
    to report it, and exit code 3. Ctrl-C becomes one line and `INTERRUPTED`; a
    closed pipe becomes `CLOSED_PIPE` and no line.
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

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the options before the command, with errors turned into exit codes."""
        with _exit_codes():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, with errors turned into exit codes."""
        with _exit_codes():
            return super().invoke(ctx)


@contextmanager
def _exit_codes() -> Iterator[None]:
    try:
        yield
    except (click.ClickException, click.exceptions.Exit):
        raise
    except (KeyboardInterrupt, click.Abort) as error:
        new_line = "\n" if sys.stderr.isatty() else ""  # after the terminal's ^C
        _end(f"{new_line}interrupted; nothing was written", INTERRUPTED, error)
    except OptgenError as error:
        _end(str(error), error.exit_code, error)
    except OSError as error:
        if error.errno == errno.EPIPE:
            _end_quietly(error)
        _end(str(_of_system(error)), UsageError.exit_code, error)
    except Exception as error:
        _end(_report(error), BUG, error)


def _end(text: str, exit_code: int, cause: BaseException) -> NoReturn:
    """Print the text to stderr, nothing added, and end the command."""
    with suppress(BrokenPipeError):  # nobody reads: the exit code still says it
        click.echo(text, err=True)
    raise click.exceptions.Exit(exit_code) from cause


def _end_quietly(cause: OSError) -> NoReturn:
    """End where nobody reads stdout; what is still to be flushed at exit goes nowhere."""
    with suppress(OSError, ValueError):  # stdout may be no file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    raise click.exceptions.Exit(CLOSED_PIPE) from cause


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
