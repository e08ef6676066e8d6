"""Compiled kernels: compiled when first used, kept in a cache on disk, and announced to whoever asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numba
from numba.core import event

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F")


def kernel(function: F) -> F:
    """Compile a function with numba; without `fastmath`, because infinities are used."""
    compiled: F = numba.njit(cache=True, fastmath=False, error_model="numpy")(function)
    return compiled


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
