"""How every command ends: a mistake or a fault is one message, never a traceback."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import IO, Any, Final

import click
from click.core import ParameterSource

from kataven_flask.cli.output import fit, styled
from kataven_flask.errors import KatavenError

INTERRUPTED: Final = 130
"""128 and the number of SIGINT, as shells have it."""
EXIT_CODES: Final = """\
\b
Exit codes:
  0    done; or yes, where something was asked
  1    no, refused, faults found, or it couldn't be done; the message says why
  2    the command line is wrong
  130  interrupted by Ctrl-C"""


class _Mistake(click.ClickException):
    """Is told as click does, with its first word in color."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"{styled('Error', 'bad')}: {self.message}", file=file, err=True)


class PoliteGroup(click.Group):
    """The whole command: shows mistakes and faults as one clear message."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in their own order: what is needed first comes first."""
        del ctx
        return list(self.commands)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run it as click does; a file's or the output's fault is told in one line."""
        if isinstance(sys.stdout, io.TextIOWrapper):  # as stderr: \u2026 where it has no …
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            return super().main(*args, **extra)
        except OSError as error:  # not a closed pipe, which click ends in silence
            _give_up_stdout(error)
            _Mistake(fit(_in_words(error))).show()
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        if os.environ.get("NO_COLOR"):  # whatever it says, as long as it says something
            ctx.color = False
        try:
            return super().invoke(ctx)
        except KatavenError as error:
            raise _Mistake(fit(str(error))) from error
        except click.ClickException as error:  # which repeats what was typed
            _name_the_variable(error)
            object.__setattr__(error, "message", fit(error.message))
            raise
        except (click.Abort, KeyboardInterrupt):
            click.echo("\nInterrupted.", err=True)
            ctx.exit(INTERRUPTED)


def _name_the_variable(error: click.ClickException) -> None:
    """Have a value that nobody typed told by the variable that it is from."""
    if isinstance(error, click.BadParameter) and error.ctx and error.param and error.param.name:
        source = error.ctx.get_parameter_source(error.param.name)
        if source is ParameterSource.ENVIRONMENT:
            error.param_hint = str(error.param.envvar)


def _in_words(error: OSError) -> str:
    what = error.strerror or str(error)
    return f"{error.filename}: {what}" if error.filename else what


def _give_up_stdout(error: OSError) -> None:
    """Drop what a full disk didn't take, or Python would try again at its end, and complain."""
    if error.filename is None and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO}:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - until the process ends
