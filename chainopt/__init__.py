"""Compositions of servers into chains that minimise the mean response time of chain-structured jobs.

Everything here is imported when it is first used, so that ``import chainopt`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from chainopt.errors import ChainoptError, FormatError, InfeasibleError, UnstableError
from chainopt.version import __version__

if TYPE_CHECKING:
    from chainopt import allocation, catalog, dispatch, exact, generate, model, placement, queueing, report, simulation
    from chainopt.exact import bound
    from chainopt.facade import compose, methods
    from chainopt.files import read_instance, read_solution, write_instance, write_solution
    from chainopt.verification import verify

__all__ = [
    "ChainoptError",
    "FormatError",
    "InfeasibleError",
    "UnstableError",
    "__version__",
    "allocation",
    "bound",
    "catalog",
    "compose",
    "dispatch",
    "exact",
    "generate",
    "methods",
    "model",
    "placement",
    "queueing",
    "read_instance",
    "read_solution",
    "report",
    "simulation",
    "verify",
    "write_instance",
    "write_solution",
]

_ROOMS = (
    "allocation",
    "catalog",
    "dispatch",
    "exact",
    "generate",
    "model",
    "placement",
    "queueing",
    "report",
    "simulation",
)
_HOME = {
    "bound": "exact",
    "compose": "facade",
    "methods": "facade",
    "read_instance": "files",
    "read_solution": "files",
    "write_instance": "files",
    "write_solution": "files",
    "verify": "verification",
}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"chainopt.{name}")
    if name in _HOME:
        return getattr(import_module(f"chainopt.{_HOME[name]}"), name)
    raise AttributeError(f"module 'chainopt' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
