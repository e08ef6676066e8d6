"""Reading and writing whole texts: ``-`` is standard input or output, and no file is ever half written."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from chainopt.errors import FormatError

MOST_BYTES = 2**30


def read_text(source: str | os.PathLike[str]) -> str:
    """The text of a UTF-8 file without byte order mark.

    Raises
    ------
    FormatError
        If the file cannot be read, or is no such text.
    """
    name = os.fspath(source)
    try:
        data = sys.stdin.buffer.read() if name == "-" else _bytes(Path(name))
    except OSError as error:
        raise FormatError(f"cannot be read: {error.strerror or error}", source=name) from error
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


def _bytes(path: Path) -> bytes:
    if path.is_file() and path.stat().st_size > MOST_BYTES:
        raise OSError(0, f"it is larger than {MOST_BYTES} bytes")
    return path.read_bytes()


def write_text(text: str, target: str | os.PathLike[str]) -> None:
    """Write a text to a temporary file beside the target and rename it, so that the target is whole or untouched.

    Raises
    ------
    FormatError
        If the target cannot be written.
    """
    name = os.fspath(target)
    if name == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    path = Path(name)
    if path.is_dir():
        raise FormatError("cannot be written: it is a directory", source=name)
    if path.exists() and not path.is_file():  # /dev/null, a pipe: cannot be replaced, and need not be
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise FormatError(f"cannot be written: {error.strerror or error}", source=name) from error
        return
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:50]}.", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _mode(path))
        os.replace(temporary, path.resolve())
        temporary = None
    except OSError as error:
        raise FormatError(f"cannot be written: {error.strerror or error}", source=name) from error
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)


def _mode(path: Path) -> int:
    """Permissions that a plain write would give: those of the file that is replaced, else those of a new file."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Line and column of a character, both counted from 1."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
