"""The engines' own rules, as their sources say, against hand-made examples and independent computations."""

from __future__ import annotations

import math
import random

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainopt.export.engines.llama_cpp import RULE as LLAMA
from chainopt.export.engines.parallax import exact_route
from chainopt.export.engines.partition import given_stages, ranges, sglang_stages, vllm_stages
from chainopt.export.engines.ray_serve import worker_order
from chainopt.export.engines.routes import count_routes, only_route
from chainopt.export.engines.sglang import micro_batch
from chainopt.export.engines.tensor_split import device_ranges, layer_devices
from chainopt.export.engines.vllm import RULE as VLLM
from chainopt.export.memory import CacheRule

COUNTS = st.lists(st.integers(1, 40), min_size=1, max_size=15)


class TestPartition:
    """Pipeline stages of vLLM and SGLang."""

    def test_given_counts(self) -> None:
        """The examples of vLLM's own test, tests/distributed/test_pipeline_partition.py."""
        assert given_stages("5,5,5,5", 4, 20) == [(0, 5), (5, 10), (10, 15), (15, 20)]
        assert given_stages("4,6,6,4", 4, 20) == [(0, 4), (4, 10), (10, 16), (16, 20)]

    @pytest.mark.parametrize(("partition", "stages"), [("5,5,5,5", 3), ("5,5,5,5,5", 4), ("5,5,5,6", 4), ("5,x", 2)])
    def test_refuses_what_engines_refuse(self, partition: str, stages: int) -> None:
        """Another number of stages, another sum, no numbers."""
        with pytest.raises(ValueError, match=r"counts|invalid"):
            given_stages(partition, stages, 20)

    def test_remainders(self) -> None:
        """20 blocks on 3 and 22 on 4 stages: vLLM spares the last and then the first, SGLang gives to the last."""
        # 20 = 3 * 6 + 2: vLLM adds to stages 1 and 0, from the back, before the last
        assert vllm_stages(3, 20) == ranges([7, 7, 6])
        # 22 = 4 * 5 + 2: stages 2 and 1
        assert vllm_stages(4, 22) == ranges([5, 6, 6, 5])
        assert sglang_stages(3, 20) == ranges([6, 7, 7])
        assert sglang_stages(4, 22) == ranges([5, 5, 6, 6])

    @given(st.integers(1, 20), st.integers(0, 200))
    def test_remainders_cover_all_blocks(self, stages: int, more: int) -> None:
        """Every block is on one stage, and stages differ by one block at most."""
        blocks = stages + more
        for rule in (vllm_stages, sglang_stages):
            found = rule(stages, blocks)
            assert [b for start, stop in found for b in range(start, stop)] == list(range(blocks))
            sizes = [stop - start for start, stop in found]
            assert len(sizes) == stages
            assert max(sizes) - min(sizes) <= 1


class TestTensorSplit:
    """llama.cpp's devices."""

    def test_hand_example(self) -> None:
        """3 blocks and the output layer, split 1,3: positions 0, .25, .5, .75 against .25, 1."""
        assert layer_devices([1, 3], 3, 999) == [0, 1, 1, 1]
        # of the last two positions only: 0 and .5 against .25, 1
        assert layer_devices([1, 3], 3, 2) == [None, None, 0, 1]

    def test_proportions_drift(self) -> None:
        """Counts of blocks without the output layer are off by one: why it has to be counted."""
        # 10 blocks as 5,5: positions i/11 against .5: 0..5 are below, so 6 blocks on the first
        assert device_ranges(layer_devices([5, 5], 10, 999)[:10], 2) == [(0, 6), (6, 10)]
        assert device_ranges(layer_devices([5, 6], 10, 999)[:10], 2) == [(0, 5), (5, 10)]

    @given(COUNTS)
    def test_exact_counts_are_kept(self, counts: list[int]) -> None:
        """With the output layer counted on the last device, single precision moves no block."""
        split = [*counts[:-1], counts[-1] + 1]
        devices = layer_devices(split, sum(counts), 999)
        assert device_ranges(devices[:-1], len(counts)) == ranges(counts)
        assert devices[-1] == len(counts) - 1

    @given(st.lists(st.floats(0.125, 100, width=32), min_size=1, max_size=8), st.integers(1, 120), st.integers(1, 150))
    def test_like_a_plain_loop(self, split: list[float], blocks: int, layers: int) -> None:
        """The same by counting, in single precision throughout, how many points a position has reached."""
        running = np.cumsum(np.array(split, dtype=np.float32), dtype=np.float32)
        points = running / running[-1]
        active = min(layers, blocks + 1)
        first = max(blocks + 1 - layers, 0)
        expected = [
            None if i < first else int(np.sum(points <= np.float32(i - first) / np.float32(active)))
            for i in range(blocks + 1)
        ]
        assert layer_devices(split, blocks, layers) == expected

    def test_not_contiguous(self) -> None:
        """Blocks on the CPU, or mixed, are no ranges."""
        with pytest.raises(ValueError, match="on no device"):
            device_ranges([0, None], 1)
        with pytest.raises(ValueError, match="not next to each other"):
            device_ranges([0, 1, 0], 2)


class TestRoutes:
    """The routes of PETALS clients."""

    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 6)), min_size=1, max_size=7), st.integers(0, 2**32))
    def test_like_the_graph_of_petals(self, spans: list[tuple[int, int]], seed: int) -> None:
        """As many as there are paths in the graph that PETALS builds, and a shortest path of it is the only one."""
        blocks = 10
        servers = {f"p{i}": (a, min(a + n, blocks)) for i, (a, n) in enumerate(spans)}
        graph = self.petals_graph(servers, blocks, random.Random(seed))
        has_ends = graph.has_node("start") and graph.has_node("end")
        paths = list(nx.all_simple_paths(graph, "start", "end")) if has_ends else []
        assert count_routes(servers, blocks) == len(paths)
        if len(paths) != 1:
            with pytest.raises(ValueError, match="routes"):
                only_route(servers, blocks)
            return
        shortest = nx.dijkstra_path(graph, "start", "end", weight="delay")[1:-1]
        hops: list[tuple[str, int, int]] = []
        for server, block in shortest:  # as _make_sequence_with_min_latency joins them
            if hops and hops[-1][0] == server:
                hops[-1] = (server, hops[-1][1], block)
            else:
                hops.append((server, block, block))
        assert only_route(servers, blocks) == [hop for hop in hops if hop[1] < hop[2]]

    @staticmethod
    def petals_graph(servers: dict[str, tuple[int, int]], blocks: int, rng: random.Random) -> nx.DiGraph:
        """The graph of petals/client/routing/sequence_manager.py, with delays at random."""
        graph = nx.DiGraph()
        hosting = {b: [s for s, (start, stop) in servers.items() if start <= b < stop] for b in range(blocks)}
        for s in hosting[0]:
            graph.add_edge("start", (s, 0), delay=rng.random())
        for s in hosting[blocks - 1]:
            graph.add_edge((s, blocks), "end", delay=rng.random())
        for block in range(1, blocks):
            for s in hosting[block - 1]:
                if servers[s][1] == block:
                    for t in hosting[block]:
                        if s != t:
                            graph.add_edge((s, block), (t, block), delay=rng.random())
        for s, (start, stop) in servers.items():
            for block in range(start, stop):
                graph.add_edge((s, block), (s, block + 1), delay=rng.random())
        return graph


class TestOthers:
    """Small rules."""

    def test_exact_boundaries(self) -> None:
        """Parallax joins ranges that meet exactly, in any order, and no others."""
        assert exact_route([(5, 12), (0, 5)], 12) == [(0, 5), (5, 12)]
        for nodes in ([(0, 5), (4, 12)], [(0, 5), (6, 12)], [(0, 5)], [(0, 5), (0, 5), (5, 12)]):
            with pytest.raises(ValueError, match="block"):
                exact_route(nodes, 12)

    def test_workers_of_ray(self) -> None:
        """The driver's node first, then nodes with fewer workers, then by address as text."""
        assert worker_order(["10.0.0.9", "10.0.0.1", "10.0.0.2"]) == [0, 1, 2]
        assert worker_order(["10.0.0.9", "10.0.0.2", "10.0.0.1"]) == [0, 2, 1]
        assert worker_order(["10.0.0.1", "10.0.0.9", "10.0.0.10"]) == [0, 2, 1]
        assert worker_order(["a", "b", "b", "c"]) == [0, 3, 1, 2]
        assert worker_order(["b", "a", "b"]) == [0, 2, 1]

    @given(st.integers(1, 500), st.integers(1, 20))
    def test_micro_batches_suffice(self, capacity: int, stages: int) -> None:
        """As many micro batches as stages hold the capacity, while SGLang's default may not."""
        assert micro_batch(capacity, stages) * stages >= capacity
        assert micro_batch(7, 2) == 4
        assert max(7 // 2, 1) * 2 < 7

    @given(st.sampled_from([VLLM, LLAMA, CacheRule(64), CacheRule(1, 1)]), st.integers(1, 10**6), st.integers(1, 10**4))
    def test_pages_hold_exactly_the_jobs(self, rule: CacheRule, tokens: int, jobs: int) -> None:
        """So many pages are enough for the capacity, and a page less is not."""
        pages = rule.all_pages(tokens, jobs)
        assert rule.jobs(pages, tokens) == jobs
        assert rule.jobs(pages - 1, tokens) == jobs - 1
        assert rule.pages(tokens) == math.ceil(tokens / rule.page)
