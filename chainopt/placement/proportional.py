"""Shares of memory: every server of a pipeline hosts blocks in proportion to its memory, as exo and llama.cpp do."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from itertools import accumulate
from typing import TYPE_CHECKING

from chainopt.errors import InfeasibleError
from chainopt.placement.pipelines import placed, replicas, replicated_candidates

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chainopt.model.instance import Instance
    from chainopt.model.placement import Placement
    from chainopt.protocols import Candidate, PlacementOptions


def largest_remainders(blocks: int, memory: Sequence[int]) -> list[int]:
    """Rule of exo: shares of the blocks rounded down, the largest remainders up, and at least one block each.

    Ties of remainders go to the first. A server with none takes one from the first of those that have the most.

    Parameters
    ----------
    blocks
        L, at least as many as there are servers.
    memory
        Positive, in any unit.

    References
    ----------
    exo-explore/exo, src/exo/master/placement_utils.py, allocate_layers_proportionally; there in floating point.
    """
    shares = [Fraction(blocks * free, sum(memory)) for free in memory]
    counts = [int(share) for share in shares]
    by_remainder = sorted(range(len(memory)), key=lambda i: (counts[i] - shares[i], i))
    for i in by_remainder[: blocks - sum(counts)]:
        counts[i] += 1
    for i, count in enumerate(counts):
        if count == 0:
            counts[counts.index(max(counts))] -= 1
            counts[i] = 1
    return counts


def by_upper_bounds(blocks: int, memory: Sequence[int]) -> list[int]:
    """Rule of llama.cpp: block b goes to the first server up to which more than b/(L + 1) of the memory lies.

    The L + 1st place is that of the output layer, which is on the last server and does not count here. A server may
    come away empty-handed.

    References
    ----------
    ggml-org/llama.cpp, src/llama-model.cpp, splits of load_tensors with --split-mode layer; there in floating point.
    """
    up_to = [(blocks + 1) * below for below in accumulate(memory)]
    counts = [0] * len(memory)
    for b in range(blocks):
        counts[bisect_right(up_to, b * sum(memory))] += 1
    return counts


def memory_proportional(
    instance: Instance, stages: int, *, output_layer: bool = False, cache_reservation: int = 1
) -> Placement:
    """Pipelines of so many servers, each split by memory, as many as there are; like servers with like.

    Servers are taken by decreasing memory. A pipeline with a server that does not have the memory for its blocks and
    `cache_reservation` jobs cannot be started; its servers stay empty, as do those that are left over. A single
    pipeline of all servers is the usual deployment of both systems.

    Parameters
    ----------
    stages
        Servers of a pipeline, from 1 to L.
    output_layer
        Whether the output layer takes a place, as by llama.cpp, instead of exo's rule.

    Raises
    ------
    InfeasibleError
        If no pipeline can be started.
    ValueError
        If the number of servers of a pipeline is not from 1 to L.
    """
    if not 1 <= stages <= instance.service.blocks:
        raise ValueError(f"expected pipelines of 1 to {instance.service.blocks} servers, got {stages}")
    pipelines, _ = replicas(instance, stages, _llama_cpp if output_layer else _exo, cache_reservation)
    if not pipelines:
        raise InfeasibleError(
            f"no {stages} servers without a pin, by decreasing memory, have room for their shares of the "
            f"{instance.service.blocks} blocks and {cache_reservation} jobs"
        )
    return placed(instance, pipelines)


def proportional_candidates(instance: Instance, options: PlacementOptions) -> Iterator[Candidate]:
    """Pipelines of every length, by either rule."""
    yield from replicated_candidates(instance, options, _exo, _llama_cpp)


def _exo(instance: Instance, servers: Sequence[int]) -> list[int] | None:
    memory = _memory(instance, servers)
    return largest_remainders(instance.service.blocks, memory) if min(memory) > 0 else None


def _llama_cpp(instance: Instance, servers: Sequence[int]) -> list[int] | None:
    memory = _memory(instance, servers)
    return by_upper_bounds(instance.service.blocks, memory) if min(memory) > 0 else None


def _memory(instance: Instance, servers: Sequence[int]) -> list[int]:
    return [int(instance.memory.free[j]) for j in servers]
