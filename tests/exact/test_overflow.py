"""How much overflows fast job servers, and planes below it: against Erlang, a Markov chain, JFFC and brute force."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chainopt.exact.allocations import Allocations
from chainopt.exact.envelope import Envelope
from chainopt.exact.overflow import Hunt, arrivals_per_loss, least_waiting, least_with
from chainopt.exact.overflow_bound import OverflowBounding, _Overflow
from chainopt.exact.parts import parts_of
from chainopt.exact.response_bound import response_bound
from chainopt.model import Instance
from chainopt.queueing import jffc
from tests.exact.test_bounds import all_chains
from tests.strategies import instances

MOST = 4
FASTEST_S = 1.0


@st.composite
def compositions(draw: st.DrawFn) -> np.ndarray:
    """Times of a few job servers, fastest first, none below `FASTEST_S`."""
    times = st.sampled_from([1.0, 1.25, 1.5, 2.0, 3.0, 4.5, 8.0])
    return np.array(sorted(draw(st.lists(times, min_size=1, max_size=MOST))))


def overflow_of(times_s: np.ndarray, arrival_rate: float) -> float:
    """Share that is lost where an arrival takes the fastest idle server, from the balance of all 2^c states."""
    states = list(itertools.product((0, 1), repeat=times_s.size))
    at = {state: i for i, state in enumerate(states)}
    flow = np.zeros((len(states), len(states)))

    def move(state: tuple[int, ...], j: int, rate: float) -> None:
        after = (*state[:j], 1 - state[j], *state[j + 1 :])
        flow[at[state], at[after]] += rate
        flow[at[state], at[state]] -= rate

    for state in states:
        if 0 in state:
            move(state, state.index(0), arrival_rate)
        for j, busy in enumerate(state):
            if busy:
                move(state, j, 1 / times_s[j])
    balance = np.vstack((flow.T, np.ones(len(states))))
    solved, *_ = np.linalg.lstsq(balance, np.append(np.zeros(len(states)), 1.0), rcond=None)
    return float(solved[-1])


def hunt_for(arrival_rate: float, high: float = math.inf, low: float | None = None) -> Hunt:
    """What holds for all compositions of :func:`compositions`: no job server is faster than the fastest."""
    ceilings = np.minimum(np.arange(MOST + 1) / FASTEST_S, high)
    return Hunt(arrival_rate, ceilings, arrival_rate if low is None else low, float(ceilings[-1]))


def mean_of(times_s: np.ndarray, arrival_rate: float) -> float:
    """Of JFFC, exact."""
    return jffc(1 / times_s, np.ones(times_s.size, dtype=np.int64), arrival_rate).mean_response_time_s


class TestOverflow:
    """B, and D above 1 / B."""

    def test_like_erlang_where_all_are_as_fast(self) -> None:
        """λ T = 2: B(1) = 2/3, B(2) = 2 (2/3) / (2 + 2 · 2/3) = 2/5, B(3) = 2 (2/5) / (3 + 2 · 2/5) = 4/19."""
        for count, share in ((0, 1.0), (1, 2 / 3), (2, 2 / 5), (3, 4 / 19)):
            total, _, _ = arrivals_per_loss(hunt_for(2.0), count, float(count), FASTEST_S)
            assert 1 / total == pytest.approx(share, rel=1e-12)

    @settings(max_examples=150, deadline=None)
    @given(times_s=compositions(), arrival_rate=st.floats(0.1, 4.0), later_s=st.floats(0.0, 3.0))
    def test_no_more_than_a_markov_chain_has(self, times_s: np.ndarray, arrival_rate: float, later_s: float) -> None:
        """From c, R and a time that none exceeds, all that is used of them."""
        total, _, _ = arrivals_per_loss(
            hunt_for(arrival_rate), times_s.size, float((1 / times_s).sum()), times_s[-1] + later_s
        )
        assert 1 / total <= overflow_of(times_s, arrival_rate) * (1 + 1e-9)

    @settings(max_examples=80, deadline=None)
    @given(times_s=compositions(), load=st.floats(0.05, 0.95))
    def test_mean_response_time_from_overflow(self, times_s: np.ndarray, load: float) -> None:
        """E[T] = ∫ (1 - q) B_τ + q (1 - R_τ / λ) dτ + q / λ + q / (R - λ), with q (1 - ρ) = (1 - q) B ρ."""
        total = float((1 / times_s).sum())
        arrival_rate = load * total
        lost = load * overflow_of(times_s, arrival_rate)
        waiting = lost / (1 - load + lost)
        mean = float(times_s[0]) + waiting * (1 / arrival_rate + 1 / (total - arrival_rate))
        for i in range(1, times_s.size):
            share = (1 - waiting) * overflow_of(times_s[:i], arrival_rate)
            share += waiting * (1 - (1 / times_s[:i]).sum() / arrival_rate)
            mean += (times_s[i] - times_s[i - 1]) * share
        assert mean == pytest.approx(mean_of(times_s, arrival_rate), rel=1e-9)
        hunt = Hunt(arrival_rate, np.minimum(np.arange(times_s.size + 1.0), total), 0.0, total)
        assert least_waiting(hunt) <= waiting * (1 + 1e-9)

    @settings(max_examples=100, deadline=None)
    @given(
        arrival_rate=st.floats(0.2, 3.0),
        count=st.floats(0.01, MOST - 0.01),
        speed=st.floats(0.3, 0.99),
        time_s=st.floats(1.0, 4.0),
    )
    def test_derivatives(self, arrival_rate: float, count: float, speed: float, time_s: float) -> None:
        """Against differences, where no two pieces meet."""
        hunt, step = hunt_for(arrival_rate), 1e-6
        rate = count * (speed + (1 - speed) / time_s)

        def at(more: float, faster: float) -> float:
            return arrivals_per_loss(hunt, count + more, rate + faster, time_s)[0]

        _, by_count, by_rate = arrivals_per_loss(hunt, count, rate, time_s)
        for found, up, down in (
            (by_count, at(step, 0), at(-step, 0)),
            (by_rate, at(0, step), at(0, -step)),
        ):
            left, right = (at(0, 0) - down) / step, (up - at(0, 0)) / step
            assume(abs(left - right) < 1e-4 * (1 + abs(left)))
            assert found == pytest.approx((left + right) / 2, rel=1e-3, abs=1e-3)


class TestPlanes:
    """Below B, everywhere."""

    @settings(max_examples=100, deadline=None)
    @given(
        arrival_rate=st.floats(0.2, 3.0),
        per_server=st.floats(-0.2, 0.5),
        per_rate=st.floats(0.0, 1.0),
        begin_s=st.floats(1.0, 4.0),
        width_s=st.floats(0.0, 2.0),
        near=st.integers(0, MOST),
        low=st.floats(0.0, 2.0),
    )
    def test_least_over_a_grid(
        self,
        arrival_rate: float,
        per_server: float,
        per_rate: float,
        begin_s: float,
        width_s: float,
        near: int,
        low: float,
    ) -> None:
        """No more than at any count and rate that there can be, and close to the least of these."""
        hunt, end_s = hunt_for(arrival_rate, low=low), begin_s + width_s
        found = least_with(hunt, per_server, per_rate, begin_s, end_s, near, 1e-6)
        least = math.inf
        for count in range(MOST + 1):
            slowest = max(count / end_s, low - (MOST - count) / begin_s)
            if slowest > hunt.ceilings[count]:
                continue
            for rate in np.linspace(slowest, hunt.ceilings[count], 400).tolist():
                total, _, _ = arrivals_per_loss(hunt, count, rate, end_s)
                least = min(least, 1 / total + per_server * count + per_rate * rate)
        assert found <= least * (1 + 1e-12) + 1e-12
        if least < math.inf:
            assert found >= least - 1e-6 - 0.02 * per_rate

    @settings(max_examples=150, deadline=None)
    @given(at=compositions(), others=st.lists(compositions(), min_size=5, max_size=5), data=st.data())
    def test_sum_is_below_every_mean(self, at: np.ndarray, others: list[np.ndarray], data: st.DataObject) -> None:
        """Planes and tangent from one composition, or between two, are below the exact mean of any."""
        arrival_rate = data.draw(st.floats(0.05, 0.95)) * float((1 / at).sum())
        share = data.draw(st.sampled_from([1.0, 0.7, 0.3]))
        time_s = np.concatenate((at, others[0]))
        jobs = np.append(np.full(at.size, share), np.full(others[0].size, 1 - share))
        order = np.argsort(time_s, kind="stable")
        high = max(float((1 / times_s).sum()) for times_s in (at, *others))
        level = data.draw(st.sampled_from([0.5, 1.0, 2.0])) * mean_of(at, arrival_rate)
        objective = _Overflow(hunt_for(arrival_rate, high), FASTEST_S, level)
        planes = objective.planes(time_s[order], jobs[order])
        assume(planes is not None)
        assert planes is not None
        if planes.counts.size:
            assert objective.with_heights(planes, 0.0) is None  # too late
        planes = objective.with_heights(planes, math.inf)
        assert planes is not None
        worth = objective.worth(planes)
        grid = np.linspace(FASTEST_S, 12.0, 300)
        assert (np.diff(worth.of(grid)) <= 1e-9).all()
        assert (np.diff(worth.of(grid), 2) >= -1e-9).all()
        for times_s in (at, *others):
            if (1 / times_s).sum() > arrival_rate * (1 + 1e-6):
                below = objective.constant(planes) - float(worth.of(times_s).sum())
                below = min(below, float(objective.always_waiting(np.array([objective.last_s]))[0]))
                assert below <= mean_of(times_s, arrival_rate) * (1 + 1e-9)

    @settings(max_examples=100, deadline=None)
    @given(at=compositions(), load=st.floats(0.05, 0.95), factor=st.floats(0.2, 3.0))
    def test_planes_go_as_far_as_they_may(self, at: np.ndarray, load: float, factor: float) -> None:
        """Up to the last τ with so much where all jobs wait, or else to where that is largest."""
        arrival_rate = load * float((1 / at).sum())
        level = factor * mean_of(at, arrival_rate)
        objective = _Overflow(hunt_for(arrival_rate), FASTEST_S, level)
        grid = np.linspace(FASTEST_S, 10 * FASTEST_S, 2_000)
        always = objective.always_waiting(grid)
        found = float(objective.always_waiting(np.array([objective.last_s]))[0])
        assert found >= min(level, float(always.max())) * (1 - 1e-3)
        assert not (always[grid > objective.last_s * (1 + 1e-9)] > level * (1 + 1e-9)).any()

    def test_exact_where_all_are_as_fast(self) -> None:
        """Four job servers of one time: the sum of planes found there is the mean response time of M/M/4."""
        times_s, arrival_rate = np.ones(4), 2.0
        objective = _Overflow(hunt_for(arrival_rate), FASTEST_S, 0.0)
        planes = objective.planes(times_s, np.ones(4))
        assert planes is not None
        assert planes.mean_s == pytest.approx(mean_of(times_s, arrival_rate), rel=1e-9)


@settings(max_examples=12, deadline=None)
@given(instance=instances(most_servers=4, most_blocks=4), load=st.floats(0.3, 0.999), data=st.data())
def test_parts_never_prove_more_than_an_allocation_has(instance: Instance, load: float, data: st.DataObject) -> None:
    """Whole numbers of jobs in chains of the relaxation, drawn while they fit, under JFFC; after every refinement."""
    parts = parts_of(instance)
    chains = all_chains(parts)
    if not chains:
        return
    room, times = np.ones(parts.copies.size), []
    for _ in range(8):
        chain = data.draw(st.sampled_from(chains))
        room_after = room.copy()
        np.subtract.at(room_after, parts.server[chain], parts.weight[chain])
        if (room_after >= -1e-12).all():
            room = room_after
            times.append(float(parts.time_s[chain].sum()))
    if not times:
        return
    times_s = np.sort(np.array(times))
    arrival_rate = load * float((1 / times_s).sum())
    envelope = Envelope(parts)
    response_bound(envelope, arrival_rate)
    exact = mean_of(times_s, arrival_rate)
    least = data.draw(st.integers(1, times_s.size))
    most = data.draw(st.integers(times_s.size, times_s.size + 4))
    allocations = Allocations(parts, envelope.chains, most, least)
    bounding = OverflowBounding(allocations, most, envelope, arrival_rate, 0.0, 1e-3, math.inf)
    before = bounding.bound
    for _ in range(5):
        assert before <= exact * (1 + 1e-9)
        bounding.refine()
        assert bounding.bound >= before * (1 - 1e-9)
        before = bounding.bound
