"""The command line: one file a command, loaded when it is called."""

from __future__ import annotations

import io
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from chainopt.cli.common import verbosity
from chainopt.errors import ChainoptError, InfeasibleError, UnstableError
from chainopt.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = (
    "solve",
    "check",
    "evaluate",
    "simulate",
    "bound",
    "formulate",
    "export",
    "report",
    "bench",
    "plan",
    "size",
    "generate",
    "catalog",
    "methods",
)
"""Each stands in the module of its name, as `command`."""


class Group(click.Group):
    """Loads commands late, and turns errors into one line and an exit code.

    0 is done; 1 a negative answer; 2 bad input or usage; 130 interrupted.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"chainopt.cli.{cmd_name}").command
        return command

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **extra: Any
    ) -> Any:
        """Run, and exit with the code."""
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **extra)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # where the terminal cannot show η, say η is ?, and go on
        try:
            code = super().main(args, standalone_mode=False, **extra)
            if sys.stdout is not None:
                sys.stdout.flush()
        except click.ClickException as error:
            error.show()
            code = 2
        except (click.Abort, KeyboardInterrupt):
            click.echo("chainopt: interrupted", err=True)
            code = 130
        except SystemError as error:
            from chainopt.jit import interrupted

            if not interrupted(error):
                raise
            click.echo("chainopt: interrupted", err=True)
            code = 130
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 1  # as click does where it sees it first
        except OSError as error:
            click.echo(f"chainopt: error: {_failed(error)}", err=True)
            code = 2
        except ChainoptError as error:
            click.echo(f"chainopt: error: {error}", err=True)
            code = 1 if isinstance(error, InfeasibleError | UnstableError) else 2
        sys.exit(code or 0)


def _failed(error: OSError) -> str:
    """What the system refused: a file if one is named, or else standard output, which has no name."""
    from chainopt.files.text import printable

    reason = error.strerror or str(error)
    if error.filename is not None:
        return f"{printable(os.fsdecode(error.filename))}: {reason}"
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return f"standard output cannot be written: {reason}"


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="chainopt", message="%(prog)s %(version)s")
@verbosity
def main() -> None:
    """Which server hosts which blocks of a large model, and how requests are dispatched.

    Exit codes: 0 done; 1 a negative answer (invalid, infeasible or unstable); 2 bad input or usage.
    """
