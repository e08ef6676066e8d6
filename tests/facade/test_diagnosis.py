"""What is said to be missing is just what is missing."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings

from chainopt.diagnosis import shortfall
from chainopt.model import Instance
from tests.strategies import instances


@settings(max_examples=150, deadline=None)
@given(instance=instances())
def test_extra_memory_is_enough_and_no_less_is(instance: Instance) -> None:
    """Adding the extra memory where servers lack least fits all blocks; the same sum by trying every split."""
    missing = shortfall(instance)
    room = Fraction(instance.service.block_gb + instance.service.cache_gb)
    memory = [Fraction(server.memory_gb) for server in instance.servers]
    have = sum(min(m // room, instance.service.blocks) for m in memory)
    if missing is None:
        assert have >= instance.service.blocks
        return
    assert missing.blocks == instance.service.blocks - have
    # least cost of `blocks` more: each further block of a server costs what it lacks to that many
    costs = [Fraction(0)] + [None] * missing.blocks  # type: ignore[list-item]
    for m in memory:
        updated = list(costs)
        for more in range(1, missing.blocks + 1):
            cost = (m // room + more) * room - m
            for n in range(more, missing.blocks + 1):
                base = costs[n - more]
                if base is not None and (updated[n] is None or base + cost < updated[n]):
                    updated[n] = base + cost
        costs = updated
    assert missing.extra_gb == costs[missing.blocks]


@settings(max_examples=150, deadline=None)
@given(instance=instances())
def test_sizes_that_are_said_to_fit_do(instance: Instance) -> None:
    """With the largest cache or block that is named all blocks fit, with 0.1 % more they do not."""
    missing = shortfall(instance)
    if missing is None:
        return
    for key, size in (("cache_gb", missing.largest_cache_gb), ("block_gb", missing.largest_block_gb)):
        if size is None or size < 1e-8:
            continue
        assert shortfall(instance.replace(service=instance.service.replace(**{key: size}))) is None
        assert shortfall(instance.replace(service=instance.service.replace(**{key: size * 1.002}))) is not None
