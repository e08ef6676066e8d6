"""The hand-made traps are what they claim to be."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from chainopt.errors import FormatError, InfeasibleError, UnstableError
from chainopt.facade import compose
from chainopt.generate import FAMILIES, TinyParameters, traps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.model import Instance

BEYOND_GREEDY = {"gca-loses-stability"}
"""Feasible, but greedy allocation does not get there."""


def instance(trap: str) -> Instance:
    return FAMILIES["tiny"].instance(TinyParameters(trap=trap))


@pytest.mark.parametrize("trap", [name for name in traps() if name not in BEYOND_GREEDY])
def test_outcome(trap: str) -> None:
    """Composing each trap ends as it should."""
    outcome = traps()[trap].outcome
    if outcome == "infeasible":
        with pytest.raises(InfeasibleError):
            compose(instance(trap), "paper")
    elif outcome == "unstable":
        with pytest.raises(UnstableError):
            compose(instance(trap), "paper")
    else:
        assert compose(instance(trap), "paper").status == "feasible"


def test_traps_are_small_and_explained() -> None:
    """Up to 8 servers and 8 blocks, and a note for each."""
    for name, trap in traps().items():
        assert len(trap.servers) <= 8, name
        assert trap.service.blocks <= 8, name
        assert len(trap.note) > 20, name


def test_gca_trap_by_hand() -> None:
    """Two chains of 1.1 s serve 1.82 jobs/s; the fastest chain of 1.05 s and what it leaves serve 1.45."""
    servers = instance("gca-loses-throughput").servers

    def seconds(*stops: tuple[int, int]) -> float:
        return sum(float(servers[j].comm_s + servers[j].comp_s_per_block * blocks) for j, blocks in stops)

    pair = 1 / seconds((0, 1), (3, 2)) + 1 / seconds((1, 2), (4, 1))
    greedy = 1 / seconds((0, 1), (2, 1), (4, 1)) + 1 / seconds((1, 2), (3, 1))
    assert pair == pytest.approx(2 / 1.1)
    assert compose(instance("gca-loses-throughput"), "paper", "rate").evaluation is not None
    assert pair / greedy == pytest.approx(1.25, abs=0.01)
    assert greedy < float(instance("gca-loses-stability").workload.arrival_rate) < pair


def test_decimal_traps_are_traps() -> None:
    """Floats get these floors wrong, decimals do not."""
    assert (3 - 2.7) // 0.1 == 2
    assert instance("decimals-slots").memory.slots(_sizes(3, 3)).tolist() == [3, 3]
    assert 3.3 // (1 + 0.1) == 2
    assert instance("decimals-sizes").memory.sizes(1).tolist() == [3, 3]
    bloom = instance("decimals-bloom")
    by_floats = [math.floor((float(server.memory_gb) - 1.32 * 5) / 0.11) for server in bloom.servers]
    assert bloom.memory.slots(_sizes(5, 5, 5)).tolist() == [60, 0, 110]
    assert by_floats == [59, -1, 109]
    assert instance("decimals-exact-fit").memory.slots(_sizes(3, 3)).tolist() == [0, 0]
    assert instance("decimals-many-places").memory.sizes(1).tolist() == [3, 3, 1, 0]


def test_amortised_times_tie() -> None:
    """At c = 1 all amortised times are equal, and the order of the file decides."""
    for trap in ("ties-amortised-time", "ties-amortised-floats", "ties-identical-servers", "ties-chains"):
        tied = instance(trap)
        sizes = tied.memory.sizes(1).tolist()
        times = {s.comm_s / m + s.comp_s_per_block for s, m in zip(tied.servers, sizes, strict=True)}
        assert len(times) == 1, trap


def test_rate_is_met_exactly_in_decimals_only() -> None:
    """49 jobs of 49 s each: floats fall short of the design rate of 1."""
    trap = instance("ties-rate-met-exactly")
    assert trap.memory.slots(_sizes(3, 3, 3))[0] == 49 * 3
    assert trap.workload.arrival_rate / trap.workload.target_load == 1
    assert 49 * (1 / 49) < 1


def test_unknown_trap_and_sizes_of_traps() -> None:
    """A trap that does not exist, or one with other sizes, is an error."""
    with pytest.raises(FormatError, match="trap: expected one of worked-example"):
        TinyParameters(trap="nothing")
    with pytest.raises(FormatError, match="trap: a trap has its own"):
        TinyParameters(trap="reserves", servers=3)


def test_traffic_of_a_trap_can_be_changed() -> None:
    """A trap has its own traffic, unless other traffic is asked for."""
    own = instance("load-design-low").workload
    assert (own.arrival_rate, own.target_load) == (Decimal("0.5"), Decimal("0.001"))
    other = TinyParameters(trap="load-design-low", arrival_rate=Decimal(2), target_load=Decimal("0.5"))
    changed = FAMILIES["tiny"].instance(other).workload
    assert (changed.arrival_rate, changed.target_load) == (Decimal(2), Decimal("0.5"))


def _sizes(*sizes: int) -> NDArray[np.int64]:
    return np.array(sizes, dtype=np.int64)
