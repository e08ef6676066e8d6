"""The same search in several processes, each with a seed of its own."""

from __future__ import annotations

import time
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any

from chainopt.search.driver import Found, search

if TYPE_CHECKING:
    from chainopt.model.instance import Instance
    from chainopt.model.solution import Objective

_GRACE_S = 5.0
"""How long to wait for the others once this process is done: they started a little later."""


def search_in_parallel(
    instance: Instance,
    objective: Objective,
    workers: int,
    *,
    time_limit_s: float | None,
    iterations: int | None,
    seed: int,
    on_progress: Any = None,
    **options: Any,
) -> list[Found]:
    """What each of the workers found; the first is this process, with the seed itself, the others have the next ones.

    Workers that do not answer in time, because they died or hang, are left out.

    Parameters
    ----------
    workers
        How many processes.
    time_limit_s
        Of all together; the others end with this process although they take a moment to start.
    """
    limits = {"iterations": iterations, **options}
    if workers == 1:
        return [search(instance, objective, time_limit_s=time_limit_s, seed=seed, on_progress=on_progress, **limits)]
    from loky import get_reusable_executor

    until = None if time_limit_s is None else time.time() + time_limit_s
    executor = get_reusable_executor(max_workers=workers - 1, timeout=10)
    others = [executor.submit(_until, instance, objective, until, seed + i, limits) for i in range(1, workers)]
    own = search(instance, objective, time_limit_s=time_limit_s, seed=seed, on_progress=on_progress, **limits)
    done = wait(others, timeout=1.0 if own.interrupted else None if until is None else _GRACE_S).done
    if len(done) < len(others):
        executor.shutdown(wait=False, kill_workers=True)
    return [own, *(other.result() for other in others if other in done and other.exception() is None)]


def _until(instance: Instance, objective: Objective, until: float | None, seed: int, options: dict[str, Any]) -> Found:
    """Search until a time of the clock, which processes have in common."""
    time_limit_s = None if until is None else max(0.0, until - time.time())
    return search(instance, objective, time_limit_s=time_limit_s, seed=seed, **options)
