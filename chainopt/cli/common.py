"""Options, notes and tables that the commands share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from chainopt.errors import FormatError, InfeasibleError, UnstableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chainopt.model.instance import Instance
    from chainopt.model.solution import Solution

F = TypeVar("F", bound="Callable[..., Any]")

_LEVEL = "chainopt.verbosity"
_WIDEST = 100_000


class PositiveNumber(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on
    """A finite number above 0."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the number."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not 0 < number < math.inf:
            self.fail(f"expected a finite number above 0, got {value!r}", param, ctx)
        return number


def verbosity(command: F) -> F:
    """Add ``-q`` and ``-v``, which may stand before or after the name of the command."""

    def count(ctx: click.Context, parameter: click.Parameter, value: int) -> None:
        step = value if parameter.name == "verbose" else -value
        ctx.meta[_LEVEL] = ctx.meta.get(_LEVEL, 0) + step

    quiet = click.option("-q", "--quiet", count=True, expose_value=False, callback=count, help="No notes.")
    verbose = click.option("-v", "--verbose", count=True, expose_value=False, callback=count, help="More notes.")
    return quiet(verbose(command))


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of tables.")

output_option = click.option(
    "-o", "--output", metavar="FILE", help="Write the JSON document to FILE, whole or not at all; - is standard output."
)


def complete_method(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What the Tab key offers for ``--method``: names, and where none begins so, files of one's own methods."""
    from chainopt.facade import methods

    found = [CompletionItem(name) for name in methods() if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


def level() -> int:
    """How much to say: 0, less with ``-q``, more with ``-v``."""
    value: int = click.get_current_context().meta.get(_LEVEL, 0)
    return value


def note(text: str, least_level: int = 0) -> None:
    """Say something on standard error, unless asked to be quiet."""
    if level() >= least_level:
        click.echo(f"chainopt: {text}", err=True)


def announce_compilation() -> None:
    """Say once that kernels are compiled, should they not come from the cache."""
    from chainopt.jit import on_first_compilation

    speak = level() >= 0

    def announce() -> None:
        if speak:
            click.echo("chainopt: compiling kernels; this happens once, they are kept for the next run", err=True)

    on_first_compilation(announce)


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None) -> None:
    """Print a table on standard output, as wide as it needs to be.

    Parameters
    ----------
    columns
        Headings; those that start with ``>`` are of columns flush right. Without any text there is no header.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD if any(columns) else None, show_header=any(columns), pad_edge=False)
    for column in columns:
        table.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console(width=_WIDEST, highlight=False)
    with console.capture() as capture:
        console.print(table)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    click.echo("\n".join([*([title] if title else []), *(line for line in lines if line)]))


def number(value: float | None, digits: int = 4) -> str:
    """A number for a table; a dash for what is unknown."""
    return "-" if value is None else f"{value:.{digits}g}"


def known(value: float) -> float | None:
    """A number for JSON; null for what is none."""
    return value if math.isfinite(value) else None


def share(value: float | None) -> str:
    """A share as a percentage."""
    return "-" if value is None else f"{100 * value if value > 1e-15 else 0:.3g} %"


def answered(instance: Instance, solve: Callable[[], Solution]) -> Solution:
    """The solution, also where there is no composition; what is missing is said on standard error."""
    try:
        return solve()
    except (InfeasibleError, UnstableError) as error:
        if error.solution is None:
            raise
        click.echo(f"chainopt: {instance.name}: {error.solution.status}: {error}", err=True)
        return error.solution


def valid_solution(instance: Instance, solution: Solution, source: str) -> Solution:
    """The solution bound to its instance.

    Raises
    ------
    FormatError
        If its composition is not one.
    """
    from chainopt.verification.composition import check_composition

    violations, _ = check_composition(instance, solution)
    if violations:
        raise FormatError(f"not a composition of {instance.name!r}: {violations[0]}", source=source)
    if not solution.chains:
        raise FormatError("it has no chain to evaluate", source=source, path="chains")
    return solution.bind(instance)
