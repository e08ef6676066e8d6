"""Compiled kernels: compiled when first used, kept in a cache on disk, and announced to whoever asks.

numba notices a change in the file of a kernel, but not in that of a kernel it calls. So the cache has a folder for each
state of the sources that have kernels.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numba
from numba.core import event

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F")

_PACKAGE = Path(__file__).parent


def _cache_folder() -> str:
    """Folder for the kernels of these sources: in NUMBA_CACHE_DIR, else beside the package, else with the user."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        source = path.read_bytes()
        if b"@kernel" in source:
            digest.update(source)
    if numba.config.CACHE_DIR:
        root = Path(numba.config.CACHE_DIR)
    elif os.access(_PACKAGE, os.W_OK):
        root = _PACKAGE / "__pycache__"
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chainopt"
    return str(root / f"kernels-{digest.hexdigest()[:16]}")


_FOLDER = _cache_folder()


def kernel(function: F) -> F:
    """Compile a function with numba; without `fastmath`, because infinities are used."""
    elsewhere = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = _FOLDER  # read when the function is decorated
    try:
        compiled: F = numba.njit(cache=True, fastmath=False, error_model="numpy")(function)
    finally:
        numba.config.CACHE_DIR = elsewhere
    return compiled


def interrupted(error: BaseException) -> bool:
    """Whether this is Ctrl-C: where it comes while a kernel returns, it is the cause of a `SystemError`."""
    return isinstance(error, KeyboardInterrupt) or isinstance(error.__cause__ or error.__context__, KeyboardInterrupt)


class _Announcer(event.Listener):  # type: ignore[misc]
    def __init__(self, announce: Callable[[], None]) -> None:
        self.announce: Callable[[], None] | None = announce

    def on_start(self, event: Any) -> None:
        if self.announce is not None:
            self.announce()
            self.announce = None

    def on_end(self, event: Any) -> None:
        """Nothing to say."""


def on_first_compilation(announce: Callable[[], None]) -> None:
    """Call `announce` once, when the first kernel is compiled; never where all come from the cache."""
    event.register("numba:compile", _Announcer(announce))
