"""Profiles: dynamic programs against enumeration, what every composition satisfies, and bounds with them."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainopt
from chainopt.errors import InfeasibleError, UnstableError
from chainopt.exact import bound
from chainopt.exact.alike import alike
from chainopt.exact.bounds import envelope_of
from chainopt.exact.by_job_servers import least_job_servers, rate_by_job_servers, response_by_job_servers
from chainopt.exact.envelope import Envelope
from chainopt.exact.parts import parts_of
from chainopt.exact.profiled import Columns, ProfiledAllocations
from chainopt.exact.profiles import best_profile, cheapest_partition
from chainopt.exact.worth import RATE, worth_above
from chainopt.model import Instance, Server, Service, Workload
from tests.strategies import instances

TIGHT = "instances/random/random-j10-l20-tight.json"


def partitions(total: int, largest: int) -> list[list[int]]:
    """All ways to write a number as a sum, largest first."""
    if total == 0:
        return [[]]
    return [[p, *rest] for p in range(min(total, largest), 0, -1) for rest in partitions(total - p, p)]


class TestBestProfile:
    """The dynamic program of a server."""

    def test_by_hand(self) -> None:
        """12 slots beside one block, 9 beside two: (4, 4) takes 8 of them, and 4 jobs at a block are worth 3.

        Jobs of 2 blocks are worth 1 each: 4 + 3 + 3 = 10. One block more: 6 slots, (2, 2, 2) at most.
        """
        worth = np.array([0.0, 0, 0, 0, 3])
        value, profile = best_profile(np.array([12, 9, 6]), np.array([0.0, 1, 1]), worth, 4)
        assert value == pytest.approx(10)
        assert profile.tolist() == [4, 4]

    def test_nothing_is_worth_it(self) -> None:
        """No profile rather than one that costs."""
        value, profile = best_profile(np.array([5]), np.array([0.0]), np.array([0.0, -1, -1]), 2)
        assert value == 0
        assert profile.size == 0

    @settings(max_examples=150, deadline=None)
    @given(data=st.data())
    def test_all_profiles(self, data: st.DataObject) -> None:
        """The value is the largest over an enumeration, and that of the profile."""
        slots = sorted(data.draw(st.lists(st.integers(0, 10), min_size=1, max_size=4)), reverse=True)
        most = data.draw(st.integers(1, 6))
        price = data.draw(st.lists(st.integers(0, 8), min_size=len(slots), max_size=len(slots)))
        worth = [0, *data.draw(st.lists(st.integers(0, 8), min_size=most, max_size=most))]

        def value_of(profile: list[int]) -> int:
            jobs = [p - q for p, q in itertools.pairwise([*profile, 0])]
            return sum(y * u for y, u in zip(jobs, price, strict=False)) + sum(worth[p] for p in profile)

        profiles = [
            profile
            for used in range(1, max(slots) + 1)
            for profile in partitions(used, most)
            if len(profile) <= len(slots) and used <= slots[len(profile) - 1]
        ]
        value, profile = best_profile(np.array(slots), np.array(price, float), np.array(worth, float), most)
        assert value == max([0, *map(value_of, profiles)])
        assert profile.tolist() in [*profiles, []]
        assert value_of(profile.tolist()) == value


@settings(max_examples=80, deadline=None)
@given(price=st.lists(st.integers(0, 9), min_size=1, max_size=9), data=st.data())
def test_cheapest_partition(price: list[int], data: st.DataObject) -> None:
    """Of all partitions of all totals that are allowed."""
    most = len(price)
    least = data.draw(st.integers(1, most))
    costs = np.array([0, *price], dtype=float)
    value, partition = cheapest_partition(costs, least, most)
    every = [p for total in range(least, most + 1) for p in partitions(total, total)]
    assert value == min(sum(costs[p] for p in parts) for parts in every)
    assert sorted(partition.tolist(), reverse=True) in every
    assert costs[partition].sum() == value


METHODS = ["gbp-cr+gca", "even-split+gca", "random+gca"]


@settings(max_examples=60, deadline=None)
@given(instance=instances(most_servers=7, most_blocks=7), data=st.data())
def test_every_composition_is_an_allocation_with_profiles(instance: Instance, data: st.DataObject) -> None:
    """Its profiles fit and add up to a partition of C at every block, and no worth of it is above what is proven."""
    try:
        composition = chainopt.compose(instance, data.draw(st.sampled_from(METHODS))).composition
    except (InfeasibleError, UnstableError):
        return
    if composition is None:
        return
    jobs = int(composition.capacities.sum())
    at: list[Counter[int]] = [Counter() for _ in range(instance.service.blocks)]
    used: dict[int, list[int]] = {}
    for chain in composition.chains:
        block = 0
        for j, n in zip(chain.servers, chain.blocks, strict=True):
            profile = used.setdefault(j, [])
            profile += [0] * (n - len(profile))
            for i in range(n):
                profile[i] += chain.capacity
                at[block + i][j] += chain.capacity
            block += n
    for j, profile in used.items():
        assert profile == sorted(profile, reverse=True)
        assert profile[0] <= jobs
        assert sum(profile) <= int(instance.memory.slots(np.array([len(profile)]), np.array([j]))[0])
    assert all(sum(counter.values()) == jobs for counter in at)
    assert Counter(p for profile in used.values() for p in profile) == Counter(p for c in at for p in c.values())

    times_s = composition.service_times_s
    count = data.draw(st.integers(1, 3))
    weights = np.array(data.draw(st.lists(st.floats(0.01, 2), min_size=count, max_size=count)))
    slopes = np.array(data.draw(st.lists(st.floats(0, 1), min_size=count, max_size=count))) / times_s.min()
    least, most = data.draw(st.integers(1, jobs)), data.draw(st.integers(jobs, jobs + 3))
    few = data.draw(st.sampled_from([1, 3, 100]))
    envelope = envelope_of(instance, entries=few)
    allocations = ProfiledAllocations(envelope.parts, Columns(envelope.chains, [], []), least, most)
    for worth in (RATE, worth_above(weights, slopes)):
        attained = float(composition.capacities @ worth.of(times_s))
        floor = data.draw(st.floats(0, 1)) * composition.total_service_rate
        assert allocations.most(worth, floor, math.inf, 1e-4).bound >= attained * (1 - 1e-7)


@settings(max_examples=25, deadline=None)
@given(instance=instances(most_servers=4, most_blocks=4))
def test_no_more_than_the_optimum(instance: Instance) -> None:
    """The exact optimum of each objective over all placements and allocations, by enumeration."""
    try:
        envelope = envelope_of(instance)
    except InfeasibleError:
        return
    rate = float(instance.workload.arrival_rate)
    best = {}
    for objective in ("response-time", "rate", "job-servers"):
        try:
            best[objective] = chainopt.compose(instance, "exact", objective).value
        except (InfeasibleError, UnstableError):
            best[objective] = None
    proven = response_by_job_servers(envelope, rate, 0.0)
    assert best["response-time"] is None or proven <= best["response-time"] * (1 + 1e-9)
    envelope.solve(envelope.most_jobs)
    assert best["rate"] is None or rate_by_job_servers(envelope) >= best["rate"] * (1 - 1e-9)
    count = least_job_servers(envelope, instance.design_rate * (1 - 1e-9), 1)
    assert best["job-servers"] is None or count <= best["job-servers"]


def test_two_servers_that_cannot_share() -> None:
    """4 blocks on two servers with 5 slots beside 2 blocks: 2 jobs of 2 blocks each, but 2.5 of the relaxation.

    Beside 3 blocks are 2 slots, too few for a job of 3.
    """
    instance = Instance(
        name="two",
        service=Service(blocks=4, block_gb=3, cache_gb=1),
        workload=Workload(arrival_rate=Decimal("0.1")),
        servers=[Server(id=id_, memory_gb=11, comm_s=1, comp_s_per_block=1) for id_ in "ab"],
    )
    best = chainopt.compose(instance, "exact", "rate")
    assert best.value == pytest.approx(2 / 6)
    envelope = envelope_of(instance)
    envelope.solve(envelope.most_jobs)
    assert envelope.most > 2.4 / 6
    assert bound(instance, "rate") == pytest.approx(2 / 6, rel=1e-3)


def test_all_job_servers_that_there_is_room_for() -> None:
    """93 slots for jobs of one block and 1 s: 92.5 / 0.999 jobs/s take all of them."""
    instance = Instance(
        name="full",
        service=Service(blocks=1, block_gb=1, cache_gb=1),
        workload=Workload(arrival_rate=Decimal("92.5"), target_load=Decimal("0.999")),
        servers=[Server(id="s", memory_gb=94, comm_s=0, comp_s_per_block=1)],
    )
    assert envelope_of(instance).most_jobs == 93
    assert bound(instance, "job-servers") == 93


def test_a_profile_of_many_slots_is_not_looked_for() -> None:
    """One server for 300 jobs of 100 blocks: what V says, in no time."""
    instance = Instance(
        name="large",
        service=Service(blocks=100, block_gb=1, cache_gb=Decimal("0.01")),
        workload=Workload(arrival_rate=1),
        servers=[Server(id="s", memory_gb=400, comm_s=0, comp_s_per_block=1)],
    )
    envelope = envelope_of(instance)
    envelope.solve(envelope.most_jobs)
    assert rate_by_job_servers(envelope, deadline=0.0) == envelope.most
    assert rate_by_job_servers(envelope) == envelope.most


def test_positions_matter_where_memory_is_scarce() -> None:
    """No composition that is known serves more than 0.635 jobs/s; without profiles 0.756 cannot be ruled out."""
    instance = chainopt.read_instance(TIGHT)
    envelope = envelope_of(instance)
    envelope.solve(envelope.most_jobs)
    assert envelope.most == pytest.approx(0.756, rel=1e-3)
    assert 0.6345 < bound(instance, "rate") < 0.641
    with pytest.raises(UnstableError, match=r"no composition is stable at 0\.65 jobs/s, with any"):
        bound(instance.replace(workload=instance.workload.replace(arrival_rate=Decimal("0.65"))))


class TestAlike:
    """Servers that differ little."""

    @settings(max_examples=60, deadline=None)
    @given(instance=instances(most_servers=8, most_blocks=6), most=st.integers(1, 9))
    def test_no_slower_and_all_there(self, instance: Instance, most: int) -> None:
        """Servers keep memory and computation time, none is slower than those it stands for, and δ is as said."""
        fewer, copies = alike(instance, most)
        kinds = {(s.memory_gb, s.comp_s_per_block) for s in instance.servers}
        assert copies.sum() == len(instance.servers)
        assert len(fewer.servers) <= max(most, len(kinds))
        for kind in kinds:
            before = sorted(s.comm_s for s in instance.servers if (s.memory_gb, s.comp_s_per_block) == kind)
            after = sorted(
                time_s
                for s, count in zip(fewer.servers, copies.tolist(), strict=True)
                for time_s in [s.comm_s] * count
                if (s.memory_gb, s.comp_s_per_block) == kind
            )
            assert len(before) == len(after)
            assert all(a <= b for a, b in zip(after, before, strict=True))

    def test_by_hand(self) -> None:
        """1.0, 1.1, 1.4, 1.5 and, with other memory, 3: three entries need δ = 0.1, two 0.5; four one of the pairs."""
        comm = [(2, "1.4"), (2, "1.0"), (5, "3"), (2, "1.5"), (2, "1.1")]
        servers = [
            Server(id=f"s{k}", memory_gb=memory, comm_s=Decimal(time), comp_s_per_block=1)
            for k, (memory, time) in enumerate(comm)
        ]
        instance = Instance(
            name="five",
            service=Service(blocks=2, block_gb=1, cache_gb=Decimal("0.1")),
            workload=Workload(arrival_rate=Decimal("0.1")),
            servers=servers,
        )
        for most, ids, copies in ((3, "s0 s1 s2", [2, 2, 1]), (2, "s1 s2", [4, 1]), (1, "s1 s2", [4, 1])):
            fewer, counts = alike(instance, most)
            assert [s.id for s in fewer.servers] == ids.split()
            assert counts.tolist() == copies
        assert alike(instance, 5) == (instance, pytest.approx(np.ones(5)))

    def test_memory_is_compared_exactly(self) -> None:
        """2 GB hold a block and the cache of one job of 1 GB each; a little less does not, however little."""
        memories = ["1.999999999999999999999999999999", "2"]
        servers = [
            Server(id=f"s{k}", memory_gb=Decimal(memory), comm_s=1, comp_s_per_block=1)
            for k, memory in enumerate(memories)
        ]
        instance = Instance(
            name="almost",
            service=Service(blocks=1, block_gb=1, cache_gb=1),
            workload=Workload(arrival_rate=Decimal("0.1")),
            servers=servers,
        )
        assert alike(instance, 1)[1].tolist() == [1, 1]
        assert bound(instance, "rate") == pytest.approx(1 / 2, rel=1e-6)
        # one job of 2 s at a time, M/M/1: 1 / (0.5 - 0.1)
        assert bound(instance) == pytest.approx(2.5, rel=1e-6)

    @settings(max_examples=40, deadline=None)
    @given(instance=instances(most_servers=3, most_blocks=4), copies=st.integers(2, 3), jobs=st.floats(0.5, 20))
    def test_equal_servers_lose_nothing(self, instance: Instance, copies: int, jobs: float) -> None:
        """V of servers with exact copies, told apart and not."""
        servers = [s.replace(id=f"{s.id}-{k}") for k in range(copies) for s in instance.servers]
        repeated = instance.replace(servers=servers)
        apart, together = Envelope(parts_of(repeated)), Envelope(parts_of(*alike(repeated, len(instance.servers))))
        assert together.exists == apart.exists
        if apart.exists:
            assert together.most_jobs == pytest.approx(apart.most_jobs)
            for envelope in (apart, together):
                envelope.solve(jobs)
            least, most = sorted(float(e.above(np.array([jobs]))[0]) for e in (apart, together))
            assert most == pytest.approx(least, rel=1e-3)
