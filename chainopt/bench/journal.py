"""Results on disk: one line a run, appended by one process, and still there after a power cut."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Self

import simplejson

from chainopt.errors import FormatError

if TYPE_CHECKING:
    from io import TextIOWrapper
    from pathlib import Path

RESULTS = "results.jsonl"
_LOCK = ".lock"
_WRITE = simplejson.JSONEncoder(use_decimal=True, ensure_ascii=False, allow_nan=False, separators=(", ", ": "))


class Journal:
    """The results of a folder, open for appending; a context manager that holds the lock of the folder.

    Parameters
    ----------
    folder
        Made if it does not exist.
    resume
        Whether results that are there are kept and continued; else their presence is an error.

    Raises
    ------
    FormatError
        If another run writes to the folder, if there are results and they are not to be continued, if a line of
        theirs is damaged, or if the folder cannot be written.
    """

    def __init__(self, folder: Path, *, resume: bool) -> None:
        self.path = folder / RESULTS
        try:
            _make(folder)
            self._lock = _locked(folder)
        except OSError as error:
            raise FormatError(f"cannot be written: {error.strerror or error}", source=str(folder)) from error
        try:
            self.records = self._read(resume)
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            _sync_folder(folder)
        except OSError as error:
            self._lock.close()
            raise FormatError(f"cannot be written: {error.strerror or error}", source=str(self.path)) from error
        except BaseException:
            self._lock.close()
            raise

    def _read(self, resume: bool) -> list[dict[str, Any]]:
        """The records that are there; a line that a kill has cut is cut off."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        whole = data.rfind(b"\n") + 1
        if data and not resume:
            message = "there are results already: continue them with --resume, or give another folder"
            raise FormatError(message, source=str(self.path))
        records = [self._record(line, number) for number, line in enumerate(data[:whole].split(b"\n")[:-1], 1)]
        if whole < len(data):
            with self.path.open("r+b") as file:
                file.truncate(whole)
                os.fsync(file.fileno())
        return records

    def _record(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            record = simplejson.loads(line.decode("utf-8"))
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict) or not isinstance(record.get("key"), str):
            message = "expected the result of a run; remove the line, and the run is repeated"
            raise FormatError(message, source=str(self.path), line=number)
        return record

    def append(self, record: dict[str, Any]) -> None:
        """Write a record; when this returns, it is on the disk.

        Raises
        ------
        FormatError
            If it cannot be written, such as where the disk is full.
        """
        line = writable(_WRITE.encode(record) + "\n").encode("utf-8")
        try:
            written = 0
            while written < len(line):
                written += os.write(self._descriptor, line[written:])
            os.fsync(self._descriptor)
        except OSError as error:
            raise FormatError(f"cannot be written: {error.strerror or error}", source=str(self.path)) from error
        self.records.append(record)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._descriptor)
        self._lock.close()


def writable(text: str) -> str:
    """A JSON text with escapes for the halves of surrogate pairs that names of files and messages can have."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _make(folder: Path) -> None:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """What a folder lists is on the disk too."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _locked(folder: Path) -> TextIOWrapper:
    """The lock of a folder; the operating system releases it when its holder ends, however it ends.

    Raises
    ------
    FormatError
        If another process holds it.
    """
    file = (folder / _LOCK).open("a+", encoding="utf-8")
    try:
        _lock(file)
    except BlockingIOError:
        file.seek(0)
        holder = re.fullmatch(r"\d{1,10}", file.read(20).strip())
        file.close()
        whom = f"the process {holder.group()}" if holder else "another process"
        raise FormatError(f"{whom} writes its results to this folder", source=str(folder)) from None
    except BaseException:
        file.close()
        raise
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def _lock(file: TextIOWrapper) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        file.seek(1_000)  # a byte that nobody reads or writes: locked ones cannot be read there
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            raise BlockingIOError from None
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
