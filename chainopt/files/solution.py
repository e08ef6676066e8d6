"""Solution files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt.files.document import dump, read_record
from chainopt.files.text import write_text
from chainopt.model.solution import Solution

if TYPE_CHECKING:
    import os

    from chainopt.model.instance import Instance


def read_solution(source: str | os.PathLike[str], instance: Instance | None = None) -> Solution:
    """Read a solution file; ``-`` is standard input.

    Parameters
    ----------
    instance
        The instance that it belongs to, so that `solution.composition` can be asked for.

    Raises
    ------
    FormatError
        If it is not a solution file. Whether the solution is valid is another question, for `verify`.
    """
    solution = read_record(source, Solution)
    return solution if instance is None else solution.bind(instance)


def write_solution(solution: Solution, target: str | os.PathLike[str]) -> None:
    """Write a solution file, whole or not at all; ``-`` is standard output.

    Raises
    ------
    FormatError
        If the target cannot be written.
    """
    write_text(solution_text(solution), target)


def solution_text(solution: Solution) -> str:
    """A solution as the text of its file."""
    document = solution.model_dump(mode="python")
    for key in ("placement", "chains"):
        document[key] = list(document[key])
    document["placement"] = [
        {"server": entry["server"], "start": entry["start"], "stop": entry["stop"]} for entry in document["placement"]
    ]
    return dump(document)
