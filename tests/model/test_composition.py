"""Compositions: chains over a placement, with their blocks, times and rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from chainopt.model import Chain, Composition, Placement

if TYPE_CHECKING:
    from chainopt.model import Instance

CHAINS = [[0, 1], [0, 3, 4], [2, 3, 4]]
"""The chains that GCA finds in the worked example."""


@pytest.fixture
def placement() -> Placement:
    """The placement of the worked example."""
    return Placement([0, 1, 0, 1, 2], [1, 3, 1, 2, 3])


@pytest.fixture
def composition(worked_example: Instance, placement: Placement) -> Composition:
    """The composition of the worked example."""
    return Composition.of(worked_example, placement, CHAINS, [5, 5, 5])


def test_worked_example(composition: Composition) -> None:
    """Blocks, times and rates are those of the paper: T = 3 + 5ε, 3 + 10ε and 3 + 12ε with ε = 0.01."""
    assert composition.chains == (
        Chain(servers=(0, 1), blocks=(1, 2), capacity=5, service_time_s=3.05),
        Chain(servers=(0, 3, 4), blocks=(1, 1, 1), capacity=5, service_time_s=3.1),
        Chain(servers=(2, 3, 4), blocks=(1, 1, 1), capacity=5, service_time_s=3.12),
    )
    assert composition.job_servers == 15
    assert composition.total_service_rate == pytest.approx(5 / 3.05 + 5 / 3.1 + 5 / 3.12)
    assert composition.service_rates.tolist() == [chain.service_rate for chain in composition.chains]


def test_overlap(worked_example: Instance) -> None:
    """A block that two servers of a chain host is processed by the first."""
    composition = Composition.of(worked_example, Placement([0, 1, 0, 0, 0], [2, 3, 0, 0, 0]), [[0, 1]], [1])

    assert composition.chains[0].blocks == (2, 1)


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        ([0], "chain 1 ends at block 1 of 3"),
        ([], "chain 1 ends at block 0 of 3"),
        ([0, 4], "chain 1: server 4 hosts 2 to 3, not block 1"),
        ([1], "chain 1: server 1 hosts 1 to 3, not block 0"),
        ([0, 0], "chain 1: server 0 hosts 0 to 1, not block 1"),
        ([0, 1, 1], "chain 1: server 1 hosts 1 to 3, not block 3"),
    ],
)
def test_what_is_no_chain(chain: list[int], message: str, worked_example: Instance, placement: Placement) -> None:
    """A chain that skips, repeats or lacks a block is an error that names the chain and the server."""
    with pytest.raises(ValueError, match=message):
        Composition.of(worked_example, placement, [[0, 1], chain], [1, 1])


def test_select(composition: Composition) -> None:
    """Some of the chains can be kept, in any order and with other capacities."""
    some = composition.select([2, 0], np.array([1, 2]))

    assert [chain.servers for chain in some.chains] == [(2, 3, 4), (0, 1)]
    assert [chain.capacity for chain in some.chains] == [1, 2]
    assert [chain.blocks for chain in some.chains] == [(1, 1, 1), (1, 2)]
    assert some.service_times_s.tolist() == [3.12, 3.05]
    assert some.placement is composition.placement


def test_select_nothing(composition: Composition) -> None:
    """A composition may be empty."""
    nothing = composition.select([], np.array([], dtype=np.int64))

    assert nothing.chains == ()
    assert nothing.job_servers == 0
    assert nothing.total_service_rate == 0


def test_empty(worked_example: Instance, placement: Placement) -> None:
    """A composition without chains can be built."""
    assert Composition.of(worked_example, placement, [], []).chains == ()
