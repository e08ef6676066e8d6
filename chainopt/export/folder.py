"""A folder of files that appears whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import simplejson

from chainopt.errors import FormatError
from chainopt.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

MARK = "plan.json"
"""The file by which a folder is known to be of our making."""

FORMAT = "chainopt-plan/1"

MADE_LATER = ("peers.json", "variables.env")
KEYS = "keys/"
"""What is made in the folder after it was written (templates/identities.py.txt): never replaced, whatever is listed."""


def write_folder(files: Mapping[str, str], target: str | os.PathLike[str], *, force: bool = False) -> None:
    """Write texts into a new folder by their relative paths; those that end in ``.sh`` can be executed.

    The folder is made beside the target and renamed at the end. Symbolic links are followed.

    Parameters
    ----------
    force
        Replace the files of an earlier export, which its plan lists. All others stay, such as keys that were made
        there; other folders are never touched.

    Raises
    ------
    FormatError
        If the target exists and is not to be replaced, holds a file of somebody else where one is to be written, or
        cannot be written.
    """
    name = printable(os.fspath(target))
    try:
        path = Path(os.path.realpath(target))
        replaced = _replaced(path, name, force=force)
        new = path.with_name(f".{path.name[:50]}.{secrets.token_hex(8)}.tmp")
        try:
            new.mkdir()
            for relative, text in files.items():
                _write(new, relative, text)
            if replaced:
                _keep(path, new, name)
            _put(new, path, replaced=replaced)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FormatError(f"cannot be written: {printable(reason)}", source=name) from error


def _replaced(path: Path, name: str, *, force: bool) -> bool:
    """Whether there is something to replace.

    Raises
    ------
    FormatError
        If there is something that may not be replaced.
    """
    if not os.path.lexists(path) or (path.is_dir() and not any(path.iterdir())):
        return False
    if not path.is_dir():
        raise FormatError("expected a new folder, there is a file of that name", source=name)
    if not _is_export(path):
        raise FormatError("expected a new folder, it holds files that are not an export", source=name)
    if not force:
        raise FormatError("it holds an export; --force replaces its files", source=name)
    return True


def _is_export(path: Path) -> bool:
    try:
        return bool(_plan(path)["format"] == FORMAT)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False


def _plan(path: Path) -> Any:
    return simplejson.loads((path / MARK).read_text("utf-8"))


def _keep(old: Path, new: Path, name: str) -> None:
    """Put all that is not of the old export into the new folder too, as links to the same data where that is possible.

    Raises
    ------
    FormatError
        If the new export has a file where there is another one.
    """
    listed = _plan(old).get("files")
    ours = {MARK, *(path for path in listed if isinstance(path, str))} if isinstance(listed, list) else {MARK}
    folders = [Path()]
    for folder, inner, names in os.walk(old, onerror=_raise):
        here = Path(folder).relative_to(old)
        links = [each for each in inner if os.path.islink(os.path.join(folder, each))]
        kept = [here / each for each in (*names, *links) if not _replaceable((here / each).as_posix(), ours)]
        if kept or not (inner or names):
            _make(new / here, name)
            folders.append(here)
        for path in kept:
            if os.path.lexists(new / path):
                raise _taken(path, name)
            try:
                os.link(old / path, new / path, follow_symlinks=False)
            except OSError:
                shutil.copy2(old / path, new / path, follow_symlinks=False)
    for here in reversed(folders):  # permissions at the end, for some folders cannot be written
        (new / here).chmod(stat.S_IMODE((old / here).stat().st_mode))


def _replaceable(path: str, ours: AbstractSet[str]) -> bool:
    return path in ours and path not in MADE_LATER and not path.startswith(KEYS)


def _make(folder: Path, name: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise _taken(Path(folder.name), name) from None


def _taken(path: Path, name: str) -> FormatError:
    return FormatError(f"{printable(path.as_posix())} is to be written, and is not of the export there", source=name)


def _raise(error: OSError) -> None:
    raise error


def _write(folder: Path, relative: str, text: str) -> None:
    parts = PurePosixPath(relative).parts
    assert parts, "paths are made of labels"
    assert not os.path.isabs(relative), "paths are relative"
    assert ".." not in parts, "paths stay inside"
    file = folder.joinpath(*parts)
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "x", encoding="utf-8", newline="\n") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    if relative.endswith(".sh"):
        file.chmod(file.stat().st_mode | 0o111 & ~_umask(file))


def _umask(file: Path) -> int:
    """Who may not read the file may not execute it."""
    mode = file.stat().st_mode
    return sum(bit for bit, read in ((0o100, 0o400), (0o010, 0o040), (0o001, 0o004)) if not mode & read)


def _put(new: Path, path: Path, *, replaced: bool) -> None:
    if not replaced:
        os.replace(new, path)  # works on an empty folder too
        return
    old = path.with_name(f".{path.name[:50]}.{secrets.token_hex(8)}.old")
    os.replace(path, old)
    try:
        os.replace(new, path)
    except OSError:
        os.replace(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)
