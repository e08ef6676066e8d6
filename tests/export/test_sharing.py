"""Chains that meet: refused, kept apart or split, with every server's memory counted."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import chainopt
from chainopt.export import Options, Sharing, export_files, make_plan
from chainopt.export.sharing import _alone, _disjoint_sets, _packed, _pins
from chainopt.model import BlockRange, Composition, Placement
from chainopt.queueing import evaluate
from tests.export.systems import instance_of, solution_of, two_chains, worked_example

ALONE = ("vllm", "sglang", "llama-cpp", "parallax", "ray-serve")


def ask(**options: object) -> Options:
    """Options with a model and tokens."""
    return Options(**{"model": "m", "tokens": 2048, "quant": None, **options})  # type: ignore[arg-type]


class TestRefusal:
    """Engines where a server belongs to one chain."""

    @pytest.mark.parametrize("engine", ALONE)
    def test_names_servers_and_chains(self, engine: str) -> None:
        """Chains 1>2, 1>4>5 and 3>4>5 share servers 1, 4 and 5."""
        instance, solution = worked_example()
        names = [[instance.servers[j].id for j in chain.servers] for chain in solution.composition.chains]
        assert sorted(names) == [["s1", "s2"], ["s1", "s4", "s5"], ["s3", "s4", "s5"]]
        pattern = r"cannot share.*'s1' \(chain-\d, chain-\d\), 's4' \(.*\), 's5' \(.*\); --exclusive.*--split-shared"
        with pytest.raises(chainopt.InfeasibleError, match=pattern):
            export_files(engine, make_plan(instance, solution), ask())

    @pytest.mark.parametrize("engine", ["petals", "json"])
    def test_not_where_servers_are_shared(self, engine: str) -> None:
        """PETALS and plain JSON take them as they are."""
        instance, solution = worked_example()
        quant = "none" if engine == "petals" else None
        deployment, _ = export_files(engine, make_plan(instance, solution), ask(quant=quant))
        assert len(deployment.plan.chains) == 3


class TestExclusive:
    """Composed anew."""

    def test_worked_example(self) -> None:
        """The disjoint chains are 1>2 and 3>4>5, with 10 slots at each server: 5 and 10 jobs."""
        instance, solution = worked_example()
        plan = make_plan(instance, solution, Sharing.EXCLUSIVE)
        found = {tuple(plan.server(hop).id for hop in chain.hops): chain.capacity for chain in plan.chains}
        assert found == {("s1", "s2"): 5, ("s3", "s4", "s5"): 10}
        assert not chainopt.verify(instance, plan.solution)
        assert not plan.shared_servers()
        assert any("2 instead of 3" in note for note in plan.notes)

    def test_kept_where_chains_do_not_meet(self) -> None:
        """Nothing is composed anew, capacities stay."""
        instance, solution = two_chains()
        plan = make_plan(instance, solution, Sharing.EXCLUSIVE)
        assert [chain.capacity for chain in plan.chains] == [7, 10]
        assert plan.solution.chains == solution.chains

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.sets(st.integers(0, 6), min_size=1, max_size=4), min_size=1, max_size=8), st.data())
    def test_packing_is_best(self, chains: list[set[int]], data: st.DataObject) -> None:
        """No other choice of chains that do not meet serves more: all of them are tried."""
        rates = [float(data.draw(st.integers(0, 20))) for _ in chains]
        servers = [sorted(chain) for chain in chains]
        kept = _packed(servers, rates, 7)
        visits = [j for k in kept for j in servers[k]]
        assert len(set(visits)) == len(visits)
        best = max(
            sum(rates[k] for k in choice)
            for n in range(len(chains) + 1)
            for choice in itertools.combinations(range(len(chains)), n)
            if len({j for k in choice for j in servers[k]}) == sum(len(servers[k]) for k in choice)
        )
        assert sum(rates[k] for k in kept) == pytest.approx(best)

    @settings(max_examples=8, deadline=None)
    @given(st.integers(0, 10**6))
    def test_valid_on_random_instances(self, seed: int) -> None:
        """Whatever GCA composes: exclusive chains are a valid composition in which none meet, and pipelines run it."""
        rng = np.random.default_rng(seed)
        instance = instance_of([float(m) for m in rng.integers(4, 14, 8)], rate=0.05)
        try:
            solution = chainopt.compose(instance, "gbp-cr+gca")
        except (chainopt.InfeasibleError, chainopt.UnstableError):
            return
        plan = make_plan(instance, solution, Sharing.EXCLUSIVE)
        assert not chainopt.verify(instance, plan.solution)
        assert not plan.shared_servers()
        deployment, _ = export_files("llama-cpp", plan, ask())
        assert deployment.plan.chains == plan.chains

    @settings(max_examples=8, deadline=None)
    @given(st.integers(0, 10**6))
    @example(93)  # equal but for rounding, with a lower bound just above
    def test_no_candidate_is_better(self, seed: int) -> None:
        """What is not evaluated exactly, as its lower bound is more than the best so far, would not have been it."""
        rng = np.random.default_rng(seed)
        instance = instance_of([float(m) for m in rng.integers(4, 14, 10)], rate=float(rng.uniform(0.05, 2)))
        try:
            solution = chainopt.compose(instance, "gbp-cr+gca")
            plan = make_plan(instance, solution, Sharing.EXCLUSIVE)
        except (chainopt.InfeasibleError, chainopt.UnstableError):
            return
        if plan.chains == make_plan(instance, solution).chains:
            return  # they did not meet
        pins, rate = _pins(instance), float(instance.workload.arrival_rate)
        found = [_alone(instance, chains, pins) for chains in _disjoint_sets(instance, solution, pins)]
        times = [evaluate(each, rate).mean_response_time_s for each in found if each is not None]
        assert plan.solution.evaluation.mean_response_time_s == min(time for time in times if time is not None)

    def test_says_what_is_too_much(self) -> None:
        """Two chains share a server of 20 jobs; alone, one of them does not carry the rate."""
        # 3 blocks at s0 for all, and 3 at s1 or s2: 5 jobs each of 1.06 s, 9.4 jobs/s together; alone 4.7, and 2 blocks
        # at each of the three serve 12 jobs of 1.56 s, 7.7 jobs/s
        instance = instance_of([6, 4.5, 4.5], blocks=6, rate=8)
        composition = Composition.of(instance, Placement([0, 3, 3], [3, 6, 6]), [[0, 1], [0, 2]], [5, 5])
        solution = solution_of(instance, composition)
        with pytest.raises(chainopt.UnstableError, match=r"serve at most .* less than the arrival rate 8 jobs/s"):
            make_plan(instance, solution, Sharing.EXCLUSIVE)

    def test_pins_stay(self) -> None:
        """A pinned server hosts its pin, also where its chain uses less; pipelines cannot do that and say so."""
        instance = instance_of([12, 9, 9], rate=0.01)
        pinned = instance.servers[1].replace(pin=BlockRange(start=4, stop=12))
        instance = instance.replace(servers=(instance.servers[0], pinned, instance.servers[2]))
        composition = Composition.of(instance, Placement([0, 4, 0], [6, 12, 0]), [[0, 1]], [1])
        solution = solution_of(instance, composition)
        plan = make_plan(instance, solution)
        assert plan.hosted == {0: (0, 6), 1: (4, 12)}
        assert not chainopt.verify(instance, plan.solution)
        with pytest.raises(chainopt.InfeasibleError, match=r"'s1' \(pinned to 4:12, chain-0 uses 6:12\)"):
            export_files("vllm", plan, ask())


class TestSplit:
    """A copy of the blocks for each chain."""

    def test_memory_at_the_limit(self) -> None:
        """s0 holds 2 copies of 3 blocks and 2 + 3 jobs: 2 * 3 * 1 + 0.1 * 3 * 5 = 7.5 GB, exactly what it has."""
        for memory, fits in ((7.5, True), (7.499999, False)):
            instance = instance_of([memory, 4, 4], blocks=6, rate=0.1)
            composition = Composition.of(instance, Placement([0, 3, 3], [3, 6, 6]), [[0, 1], [0, 2]], [2, 3])
            solution = solution_of(instance, composition)
            if fits:
                plan = make_plan(instance, solution, Sharing.SPLIT)
                deployment, files = export_files("sglang", plan, ask(fewer_jobs=True))
                assert len(deployment.processes) == 4
                assert "solution.sol.json" not in files
            else:
                with pytest.raises(chainopt.InfeasibleError, match=r"'s0' needs 7\.5 of 7\.5 GB"):
                    make_plan(instance, solution, Sharing.SPLIT)

    def test_reserve_counts(self) -> None:
        """Memory that is reserved is not there for copies."""
        instance = instance_of([8, 4, 4], blocks=6, reserve_gb=0.6)
        composition = Composition.of(instance, Placement([0, 3, 3], [3, 6, 6]), [[0, 1], [0, 2]], [1, 1])
        make_plan(instance, solution_of(instance, composition), Sharing.SPLIT)
        tight = instance.replace(servers=(instance.servers[0].replace(reserve_gb=1.5), *instance.servers[1:]))
        with pytest.raises(chainopt.InfeasibleError, match=r"'s0' needs 6\.6 of 6\.5 GB"):
            make_plan(tight, solution_of(tight, composition), Sharing.SPLIT)

    def test_shares_of_a_device_add_up(self) -> None:
        """Shares of memory for two copies on s0 are what each needs, in ten-thousandths, and at most 1 together."""
        instance = instance_of([8, 4, 4], blocks=6)
        composition = Composition.of(instance, Placement([0, 3, 3], [3, 6, 6]), [[0, 1], [0, 2]], [1, 1])
        plan = make_plan(instance, solution_of(instance, composition), Sharing.SPLIT)
        _, files = export_files("vllm", plan, ask())
        # 3 blocks, a job and a page: 3 + 0.3 + 0.3/128 = 3.30234 GB, 0.41280 of 8 and 0.82559 of 4
        for process in ("chain-0-0-s0", "chain-1-0-s0"):
            assert "--gpu-memory-utilization 0.4128 " in files[f"scripts/{process}.sh"]
        assert "--gpu-memory-utilization 0.8256 " in files["scripts/chain-0-1-s1.sh"]
        with pytest.raises(chainopt.InfeasibleError, match=r"more than all the memory of 's0' \(0\.9 \+ 0\.9\)"):
            export_files("vllm", plan, ask(memory_share=0.9))
        with pytest.raises(chainopt.InfeasibleError, match=r"chain-0 needs 0\.8256 of the memory of 's1'"):
            export_files("vllm", plan, ask(memory_share=0.5))
