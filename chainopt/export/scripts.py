"""Processes as shell scripts, in which names are nothing but names."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from chainopt.export.deployment import Variable
from chainopt.model.record import shown

if TYPE_CHECKING:
    from chainopt.export.deployment import Argument, Process
    from chainopt.export.plan import Plan

VARIABLES = "variables.env"
"""File of the folder with what is known only later; read by the scripts if it is there."""


def script(process: Process, plan: Plan, engine: str) -> str:
    """A script of POSIX shell that becomes the process; arguments of its own are passed on."""
    server = plan.instance.servers[process.server].id
    waits = [argument for argument in process.argv if isinstance(argument, Variable)]
    lines = [
        "#!/bin/sh",
        f"# {engine}: {process.task}",
        f"# Run it on server {shown(server)}.",
        "set -eu",
        'cd -- "$(dirname -- "$0")/.."',
        *([f"if [ -f {VARIABLES} ]; then . ./{VARIABLES}; fi"] if waits else []),
        *(f"export {name}={shlex.quote(value)}" for name, value in process.env.items()),
        "exec " + " \\\n  ".join([*_lines(process.argv), '"$@"']),
    ]
    return "\n".join(lines) + "\n"


def command(process: Process) -> str:
    """The process as one line of shell."""
    settings = [f"{name}={shlex.quote(value)}" for name, value in process.env.items()]
    return " ".join([*settings, *(_quoted(argument) for argument in process.argv)])


def _lines(argv: tuple[Argument, ...]) -> list[str]:
    """The arguments, quoted, one option and its values a line."""
    lines: list[list[str]] = [[]]
    for argument in argv:
        option = isinstance(argument, str) and argument.startswith("-") and not argument[1:2].isdigit()
        if option and argument != "-m":
            lines.append([])
        lines[-1].append(_quoted(argument))
    return [" ".join(line) for line in lines if line]


def _quoted(argument: Argument) -> str:
    if isinstance(argument, Variable):
        return f'"${{{argument.name}:?{argument.meaning}}}"'
    return shlex.quote(argument)
