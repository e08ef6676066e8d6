"""``chainopt bench``: every method on every instance, and the gap to what is known."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chainopt.cli.common import (
    PositiveNumber,
    announce_compilation,
    complete_method,
    json_option,
    level,
    note,
    verbosity,
)
from chainopt.errors import FormatError
from chainopt.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chainopt.bench.runs import Added, Run
    from chainopt.bench.suite import Position, Suite

_OF_FOLDERS = ("objectives", "seeds", "time_limit", "jobs")


@click.command()
@click.argument("source", metavar="SUITE.toml|DIR")
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="M",
    help="Several times; besides those of the suite. [default: auto]",
    shell_complete=complete_method,
)
@click.option(
    "--objective",
    "objectives",
    type=click.Choice(["response-time", "job-servers", "rate"]),
    multiple=True,
    help="With DIR, several times. [default: response-time]",
)
@click.option("--seeds", type=click.IntRange(1, 10**6), metavar="N", help="With DIR: 0 to N - 1. [default: 1]")
@click.option("--time-limit", type=PositiveNumber(), metavar="S", help="With DIR: seconds a run.")
@click.option("--jobs", type=click.IntRange(1, 10**10), metavar="N", help="With DIR: jobs that systems serve.")
@click.option("--workers", type=click.IntRange(1, 1024), default=1, show_default=True, help="Processes.")
@click.option("--dask", metavar="ADDRESS", help="Compute on the workers of this scheduler, such as tcp://host:8786.")
@click.option("--resume", is_flag=True, help="Keep the results of the folder, and make the runs that are missing.")
@click.option(
    "--update-best", is_flag=True, help="Replace the best-known solutions beside the instances by better ones."
)
@click.option(
    "-o", "--output", required=True, metavar="DIR", help="Results, tables and figures; made if it does not exist."
)
@json_option
@verbosity
def command(
    source: str,
    methods: tuple[str, ...],
    workers: int,
    dask: str | None,
    resume: bool,
    update_best: bool,
    output: str,
    as_json: bool,
    **options: Any,
) -> int:
    """Run every method on every instance, verify what they answer, and compare it with what is known.

    A SUITE says what is run; or all instances in DIR are, by each --method. Results are appended to DIR/results.jsonl
    as they come, and outlast Ctrl-C, kills and power cuts: --resume makes the runs that are missing. The exit code is 1
    if a run failed, or an answer was not what it claimed to be.

    \b
    Examples:
      chainopt bench benchmarks/suites/smoke.toml -o results
      chainopt bench instances/tiny --method auto --method own.py:function --time-limit 1 -o results
      chainopt bench big.toml --dask tcp://scheduler:8786 --resume -o results
    """
    from chainopt.bench.runs import plan

    if dask is not None and workers > 1:
        raise click.UsageError("--workers are processes here, with --dask the cluster's own workers compute")
    runs = plan(*_suite(source, methods, options))
    folder = Path(output).absolute()  # a method may change the current one
    announce_compilation()
    records, stopped = _run(runs, folder, resume=resume, workers=workers, dask=dask)
    labels = {run.key: run.entrant.label for run in runs}
    planned = [{**found, "method": labels[found["key"]]} for found in records if found["key"] in labels]
    _finish(records, labels, planned, folder, as_json=as_json)
    if update_best and stopped is None:
        _update_best(planned, runs)
    if stopped is not None:
        missing = labels.keys() - {made["key"] for made in planned}
        note(f"stopped; --resume makes the {len(missing)} runs that are missing")
        return 128 + stopped
    return _failures(planned)


def _suite(source: str, methods: Sequence[str], options: dict[str, Any]) -> tuple[Suite, Path, Position, Added | None]:
    """The suite, what its paths start from, what locates its mistakes, and the methods that are added to it."""
    from chainopt.bench.runs import Added
    from chainopt.bench.suite import Entry, Position, Simulation, Suite, read_suite
    from chainopt.files.text import printable

    here = Path.cwd()
    with _told("--method"):
        own = [Entry(name=name) for name in dict.fromkeys(methods)]
    if source.endswith(".toml"):
        for name in _OF_FOLDERS:
            if options[name]:
                raise click.UsageError(f"--{name.removesuffix('s').replace('_', '-')} is for folders; a suite says it")
        suite, position = read_suite(source)
        return suite, Path(source).parent, position, Added(own, here)
    if not Path(source).exists():
        raise FormatError("expected a suite, FILE.toml, or a folder of instances", source=printable(source))
    with _told(source):
        suite = Suite(
            name=Path(source).resolve().name or "/",
            instances=(source,),
            methods=own or [Entry(name="auto")],
            objectives=tuple(dict.fromkeys(options["objectives"])) or ("response-time",),
            seeds=tuple(range(options["seeds"] or 1)),
            time_limit=options["time_limit"],
            simulate=Simulation(jobs=options["jobs"]) if options["jobs"] else None,
        )
    return suite, here, Position(None, printable(source)), None


@contextlib.contextmanager
def _told(source: str) -> Iterator[None]:
    """What is wrong with what the command line gives, in one line."""
    from pydantic import ValidationError

    from chainopt.files.document import mistake
    from chainopt.files.text import printable

    try:
        yield
    except ValidationError as error:
        raise FormatError(mistake(error.errors(include_url=False)[0]), source=printable(source)) from None


def _run(
    runs: Sequence[Run], output: Path, *, resume: bool, workers: int, dask: str | None
) -> tuple[list[dict[str, Any]], int | None]:
    """All records of the folder, and the signal that stopped the benchmark if one did."""
    from chainopt.bench.execution import Interruption, execute
    from chainopt.bench.journal import Journal
    from chainopt.bench.progress import Progress

    with Journal(output, resume=resume) as journal, Interruption() as interruption, _output_is_clean():
        made = {found["key"]: found.get("version") for found in journal.records}
        missing = [run for run in runs if run.key not in made]
        old = Counter(made[run.key] for run in runs if run.key in made and made[run.key] != __version__)
        for version, count in old.items():
            note(f"{count} results are of chainopt {version}, this is {__version__}; another folder repeats them")
        note(f"{len(missing)} runs" + (f", {len(runs) - len(missing)} are there already" if made else ""))
        speak = note if level() >= 0 else None
        with (
            Progress(len(runs), len(runs) - len(missing), speak) as progress,
            contextlib.closing(execute(missing, interruption, workers=workers, dask=dask)) as found,
        ):
            for record in found:
                journal.append(record)
                progress.add(record)
        return journal.records, interruption.signal


@contextlib.contextmanager
def _output_is_clean() -> Iterator[None]:
    """What methods and solvers print goes to standard error: standard output is for the answer."""
    with contextlib.redirect_stdout(sys.stderr):
        try:
            kept = os.dup(1)
        except OSError:  # closed
            yield
            return
        try:
            os.dup2(2, 1)
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)


def _finish(
    records: Sequence[dict[str, Any]],
    labels: dict[str, str],
    planned: Sequence[dict[str, Any]],
    output: Path,
    *,
    as_json: bool,
) -> None:
    """Tables and figures of the runs that were planned, on disk and on standard output."""
    from chainopt.bench.journal import writable
    from chainopt.bench.summary import summary_table, write_summary

    if not records:
        return
    for path in write_summary(output, labels):
        note(f"wrote {path}", 1)
    if as_json:
        answers = [{key: value for key, value in found.items() if key != "solution"} for found in planned]
        click.echo(writable(json.dumps(answers, indent=1, ensure_ascii=False)))
    else:
        _print(summary_table(records, labels))


def _failures(planned: Sequence[dict[str, Any]]) -> int:
    """Tell the first runs that failed, or whose answer is wrong; the exit code."""
    from chainopt.bench.outcomes import runs_of
    from chainopt.files.text import printable

    bad = [run for run in runs_of(planned) if not run.verified]
    for run in bad[:5]:
        reason = run.error or "; ".join(run.violations[:2]) or "it was not verified"
        click.echo(f"chainopt: {run.instance}, {run.method}: {printable(reason)}", err=True)
    if len(bad) > 5:
        click.echo(f"chainopt: and {len(bad) - 5} more", err=True)
    return 1 if bad else 0


def _update_best(records: Sequence[dict[str, Any]], runs: Sequence[Run]) -> None:
    """Better best-known solutions beside the instances of the suite."""
    from chainopt.bench.best_known import update_best

    files = sorted({run.task.file for run in runs if run.task.file is not None})
    if not files:
        raise FormatError("only instances that are files have a best-known solution beside them", path="--update-best")
    lines = update_best(records, files)
    for line in lines:
        note(line)
    if not lines:
        note("no best-known solution is improved")


def _print(table: Any) -> None:
    from rich.console import Console

    console = Console(width=200, highlight=False)
    with console.capture() as capture:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))
