"""What chainopt raises, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chainopt.model.solution import Solution


class ChainoptError(Exception):
    """Base of every error that chainopt raises on purpose."""


class FormatError(ChainoptError):
    """A file or a value that is not what it should be.

    Parameters
    ----------
    message
        One sentence: the value, and what was expected.
    source
        Name of the file, or ``standard input``.
    line, column
        Position in the file, both counted from 1.
    path
        Position in the document, such as ``servers[3].memory_gb``.
    """

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        line: int | None = None,
        column: int | None = None,
        path: str | None = None,
    ) -> None:
        self.message = message
        self.source = source
        self.line = line
        self.column = column
        self.path = path
        where = ":".join(str(part) for part in (source, line, column) if part is not None)
        super().__init__(": ".join(part for part in (where, path, message) if part))


class InfeasibleError(ChainoptError):
    """No composition exists, or none with the parameters asked for; the message says what is missing.

    Parameters
    ----------
    message
        What is missing.
    solution
        The `Solution` to keep: its status tells whether this is proven (``infeasible``) or not (``unknown``).
    """

    def __init__(self, message: str, solution: Solution | None = None) -> None:
        self.solution = solution
        super().__init__(message)


class UnstableError(ChainoptError):
    """The arrival rate is not below the total service rate, so the queue grows without limit.

    Parameters
    ----------
    message
        Both rates.
    solution
        The `Solution` with the largest total service rate that was found, if one was looked for.
    """

    def __init__(self, message: str, solution: Solution | None = None) -> None:
        self.solution = solution
        super().__init__(message)
