"""Reading and writing whole texts: ``-`` is standard input or output, and no file is ever half written."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
from typing import TYPE_CHECKING, BinaryIO

from chainopt.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES = 2**30
_CHUNK = 2**20


def read_text(source: str | os.PathLike[str]) -> str:
    """The text of a UTF-8 file without byte order mark.

    Raises
    ------
    FormatError
        If the file cannot be read, or is no such text.
    """
    name = source_name(source)
    try:
        with _opened(source) as file:
            data = _bytes(file)
    except (OSError, ValueError) as error:
        raise FormatError(f"cannot be read: {_reason(error)}", source=name) from error
    if data.startswith(b"\xef\xbb\xbf"):
        raise FormatError("expected UTF-8 without a byte order mark, got one", source=name, line=1, column=1)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8")
        line, column = line_and_column(good, len(good))
        raise FormatError(
            f"expected UTF-8, got the byte 0x{data[error.start]:02x}", source=name, line=line, column=column
        ) from error


def source_name(source: str | os.PathLike[str]) -> str:
    """How errors call a file that is read."""
    name = os.fspath(source)
    return "standard input" if name == "-" else printable(name)


def printable(text: str) -> str:
    """`text` with a question mark for each character that cannot be printed."""
    return "".join(c if c.isprintable() else "?" for c in text)


@contextlib.contextmanager
def _opened(source: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    if os.fspath(source) != "-":
        with open(source, "rb") as file:
            yield file
    elif sys.stdin is None:
        raise OSError("it is closed")
    else:
        yield sys.stdin.buffer


def _bytes(file: BinaryIO) -> bytes:
    data = bytearray()
    while chunk := file.read(_CHUNK):
        data += chunk
        if len(data) > MOST_BYTES:
            raise OSError(f"it is larger than {MOST_BYTES} bytes")
    return bytes(data)


def write_text(text: str, target: str | os.PathLike[str]) -> None:
    """Write a text, whole or not at all, see :func:`written`.

    Raises
    ------
    FormatError
        If the target cannot be written.
    BrokenPipeError
        If the reader of a pipe is gone, which the command line handles.
    """
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise FormatError(f"cannot be written: {_reason(error)}", source=_target_name(target)) from error
    with written(target) as file:
        file.write(data)


@contextlib.contextmanager
def written(target: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A temporary file beside the target, renamed at the end, so that the target is whole or untouched.

    Symbolic links are followed, and the permissions of a file that is replaced are kept. What goes to standard output,
    to a device or a pipe is written as it comes.

    Raises
    ------
    FormatError
        If the target cannot be written.
    BrokenPipeError
        If the reader of a pipe is gone, which the command line handles.
    """
    name = _target_name(target)
    if "\0" in os.fspath(target):  # the only ValueError there is
        raise FormatError("cannot be written: embedded null byte", source=name)
    try:
        with _standard_output() if os.fspath(target) == "-" else _file(target) as file:
            yield file
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FormatError(f"cannot be written: {_reason(error)}", source=name) from error


def _target_name(target: str | os.PathLike[str]) -> str:
    """How errors call a file that is written."""
    name = os.fspath(target)
    return "standard output" if name == "-" else printable(name)


@contextlib.contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    if sys.stdout is None:
        raise OSError("it is closed")
    sys.stdout.flush()
    yield sys.stdout.buffer  # UTF-8, whatever the locale says
    sys.stdout.buffer.flush()


@contextlib.contextmanager
def _file(target: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    try:
        old = os.stat(target)
    except FileNotFoundError:
        with _renamed(os.path.realpath(target), None) as file:
            yield file
        return
    if not stat.S_ISREG(old.st_mode):  # /dev/null, a pipe: cannot be replaced, and need not be
        with open(target, "wb") as file:
            yield file
    elif not os.access(target, os.W_OK):
        raise OSError("it is write-protected")
    else:
        with _renamed(os.path.realpath(target), stat.S_IMODE(old.st_mode)) as file:
            yield file


@contextlib.contextmanager
def _renamed(path: str, mode: int | None) -> Iterator[BinaryIO]:
    """A new file that gets the path in the end; `mode` are its permissions, None for the usual ones."""
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name[:50]}.{secrets.token_hex(8)}.tmp")
    private = 0o666 if mode is None else mode & 0o600
    try:
        with open(temporary, "xb", opener=lambda file, flags: os.open(file, flags, private)) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:  # Ctrl-C too
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _reason(error: OSError | ValueError) -> str:
    return printable(getattr(error, "strerror", None) or str(error))


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Line and column of a character, both counted from 1."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
