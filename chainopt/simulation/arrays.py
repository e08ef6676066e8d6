"""From arrays to records: the simulator as a function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from chainopt.chains import fastest_first
from chainopt.simulation.engine import run_of
from chainopt.simulation.plain import simulate_plainly
from chainopt.simulation.policies import POLICIES
from chainopt.simulation.records import joined
from chainopt.simulation.rules import RULES

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from chainopt.simulation.records import Records
    from chainopt.simulation.rules import Rule


def simulate(
    rates: ArrayLike,
    capacities: ArrayLike,
    policy: str | Rule = "jffc",
    *,
    arrivals: ArrayLike,
    sizes: ArrayLike,
    pace: ArrayLike | None = None,
    thresholds: ArrayLike | None = None,
    choices: ArrayLike | None = None,
    seed: int = 0,
    engine: Literal["compiled", "plain"] = "compiled",
) -> Records:
    """Simulate a given sequence of jobs, from empty chains until all have left.

    Parameters
    ----------
    rates
        μ_k, jobs per second, shape (K,), in any order.
    capacities
        c_k, shape (K,); chains of capacity 0 serve nothing.
    policy
        A name of `POLICIES`, or a rule in Python, for which the plain engine is used.
    arrivals
        Seconds, ascending, shape (n,).
    sizes
        Work of each job, of mean 1, shape (n,): a job of size x takes x / μ_k. With `pace` the demands, shape (n, D).
    pace
        Seconds that each chain takes for each unit of a demand, shape (K, D).
    thresholds
        Of the policy ``thresholds``, shape (K,).
    choices
        A number from [0, 1) for each job, by which policies decide what they leave to chance, shape (n,); drawn with
        `seed` by default.
    engine
        ``"plain"`` is the twin in plain Python: the same records to the last bit, and a hundredth of the speed.

    Raises
    ------
    ValueError
        If the arguments are not as described, or no chain has capacity.
    """
    rates, capacities = np.asarray(rates, dtype=np.float64), np.asarray(capacities, dtype=np.float64)
    if fastest_first(rates, capacities).rates.size == 0:
        raise ValueError("no chain has capacity")
    when = _times(arrivals)
    paces = 1 / rates[:, None] if pace is None else _amounts("pace", pace, rates.size, None)
    work = np.asarray(sizes, dtype=np.float64)
    work = _amounts("sizes", work[:, None] if pace is None and work.ndim == 1 else work, when.size, paces.shape[1])
    luck = np.random.default_rng(seed).random(when.size) if choices is None else _chances(choices, when.size)
    if engine not in ("compiled", "plain"):
        raise ValueError(f"expected the engine 'compiled' or 'plain', got {engine!r}")
    if isinstance(policy, str) and policy not in POLICIES:
        raise ValueError(f"no policy {policy!r}; known are {', '.join(POLICIES)}")
    if not isinstance(policy, str) or engine == "plain":
        rule = RULES[policy]() if isinstance(policy, str) else policy
        return simulate_plainly(rates, capacities.astype(np.int64), rule, when, work, paces, luck, thresholds)
    run = run_of(policy, rates, capacities, paces, when.size, thresholds)
    return joined([run.serve(when, work, luck), run.drain()])


def _times(arrivals: ArrayLike) -> NDArray[np.float64]:
    when = np.ascontiguousarray(arrivals, dtype=np.float64)
    if when.ndim != 1:
        raise ValueError(f"arrivals have the shape {when.shape}, expected (n,)")
    if not np.all(np.isfinite(when)):
        raise ValueError("expected finite arrivals")
    early = np.flatnonzero(when[1:] < when[:-1])
    if early.size:
        i = int(early[0]) + 1
        raise ValueError(f"arrival {i} at {when[i]:g} s is before arrival {i - 1} at {when[i - 1]:g} s")
    return when


def _amounts(name: str, values: ArrayLike, rows: int, columns: int | None) -> NDArray[np.float64]:
    amounts = np.ascontiguousarray(values, dtype=np.float64)
    if amounts.ndim != 2 or len(amounts) != rows or amounts.shape[1] != (columns or max(1, amounts.shape[1])):
        expected = f"({rows}, {columns or 'D'})"
        raise ValueError(f"{name} have the shape {amounts.shape}, expected {expected}")
    if not np.all((amounts >= 0) & (amounts < np.inf)):
        i = int(np.argmin(np.all((amounts >= 0) & (amounts < np.inf), axis=1)))
        raise ValueError(f"expected {name} that are finite and at least 0, got {amounts[i]} at {i}")
    return amounts


def _chances(choices: ArrayLike, jobs: int) -> NDArray[np.float64]:
    luck = np.ascontiguousarray(choices, dtype=np.float64)
    if luck.shape != (jobs,) or not np.all((luck >= 0) & (luck < 1)):
        raise ValueError(f"expected choices from 0 to less than 1, shape ({jobs},)")
    return luck
