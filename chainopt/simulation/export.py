"""Records as a file: CSV, or Parquet where the name ends so; written as the run goes, whole or not at all."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from chainopt.errors import FormatError
from chainopt.files.text import source_name, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from chainopt.simulation.records import Records

COLUMNS = ("job", "arrival_s", "start_s", "departure_s", "chain")
"""Jobs are counted from 0 in order of arrival, chains as in the solution, routes as in the output of the run."""


@contextlib.contextmanager
def record_file(target: str | os.PathLike[str]) -> Iterator[Callable[[Records], None]]:
    """A function that writes the records of the next jobs to the file.

    Raises
    ------
    FormatError
        If the file cannot be written, or is to be Parquet and pyarrow is not installed.
    """
    parquet = os.fspath(target).lower().endswith(".parquet")
    if parquet:
        _require_pyarrow(target)
    with written(target) as file, _parquet(file) if parquet else _csv(file) as write:
        job = 0

        def write_next(records: Records) -> None:
            nonlocal job
            jobs = np.arange(job, job + records.arrival.size)
            write((jobs, records.arrival, records.start, records.departure, records.chain))
            job += jobs.size

        yield write_next


def _require_pyarrow(target: str | os.PathLike[str]) -> None:
    try:
        import pyarrow.parquet  # noqa: F401
    except ModuleNotFoundError:
        needed = "Parquet needs pyarrow (pip install pyarrow); a name that ends in .csv does without"
        raise FormatError(needed, source=source_name(target)) from None


Columns = tuple["NDArray[np.int64] | NDArray[np.float64]", ...]


@contextlib.contextmanager
def _csv(file: BinaryIO) -> Iterator[Callable[[Columns], None]]:
    file.write((",".join(COLUMNS) + "\n").encode())

    def write(columns: Columns) -> None:
        rows = zip(*(map(repr, column.tolist()) for column in columns), strict=True)  # repr: floats in all their digits
        file.write("".join(",".join(row) + "\n" for row in rows).encode())

    yield write


@contextlib.contextmanager
def _parquet(file: BinaryIO) -> Iterator[Callable[[Columns], None]]:
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    types = {name: pyarrow.float64() if name.endswith("_s") else pyarrow.int64() for name in COLUMNS}
    schema = pyarrow.schema(list(types.items()))
    with ParquetWriter(file, schema) as writer:

        def write(columns: Columns) -> None:
            writer.write_table(pyarrow.table(dict(zip(COLUMNS, columns, strict=True)), schema=schema))

        yield write
