"""What must hold of every placement of other systems: it fits, keeps pins, hosts all blocks and has room for c jobs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainopt.errors import InfeasibleError
from chainopt.model import Instance
from chainopt.model.placement import checked_slots
from chainopt.placement import PLACEMENTS
from chainopt.protocols import PlacementOptions
from tests.oracles.strategies import instances
from tests.placement.examples import small

RULES = ("even-split", "memory-share", "homogeneous", "swarm", "helix-petals", "parallax", "parallax-greedy")


@pytest.mark.parametrize("name", RULES)
@settings(deadline=None, max_examples=40)
@given(
    instance=instances(least_servers=1, most_servers=8, pins=True),
    reservation=st.one_of(st.none(), st.integers(1, 4)),
    seed=st.integers(0, 3),
)
def test_every_candidate(name: str, instance: Instance, reservation: int | None, seed: int) -> None:
    """Memory, pins, blocks, and the room for c jobs that was asked for; and the same again for the same options."""
    options = PlacementOptions(cache_reservation=reservation, seed=seed)
    try:
        candidates = list(PLACEMENTS[name].rule(instance, options))
    except InfeasibleError as error:
        pytest.fail(f"a rule for candidates yields none: {error}")

    for candidate in candidates:
        placement = candidate.placement
        slots = checked_slots(instance, placement)
        hosted = np.zeros(instance.service.blocks, dtype=np.int64)
        for j, server in enumerate(instance.servers):
            start, stop = int(placement.start[j]), int(placement.stop[j])
            hosted[start:stop] += 1
            if server.pin is not None:
                assert (start, stop) == (server.pin.start, server.pin.stop)
            else:
                assert slots[j] >= (reservation or 1) * (stop - start)
        assert np.all(hosted > 0)
        assert reservation is None or candidate.cache_reservation == reservation
    assert [c.placement for c in candidates] == [c.placement for c in PLACEMENTS[name].rule(instance, options)]
    assert len({c.placement for c in candidates}) == len(candidates), "nothing twice"


@pytest.mark.parametrize("name", RULES)
def test_no_candidate_where_nothing_fits(name: str) -> None:
    """Two servers with room for 2 blocks each cannot host 5."""
    assert not list(PLACEMENTS[name].rule(small([(2.5, 1, 1), (2.5, 1, 1)], blocks=5), PlacementOptions()))


@pytest.mark.parametrize("name", RULES)
def test_one_server_with_room_for_everything(name: str) -> None:
    """With one large server there is one thing to do, whatever the system."""
    [*candidates] = PLACEMENTS[name].rule(small([(30, 1, 1)], blocks=3), PlacementOptions())
    assert candidates
    assert all((c.placement.start.tolist(), c.placement.stop.tolist()) == ([0], [3]) for c in candidates)
