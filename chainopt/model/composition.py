"""A composition: a placement, the chains through it and the capacity of each (PROBLEM, section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import networkx as nx
    from numpy.typing import NDArray

    from chainopt.model.instance import Instance
    from chainopt.model.placement import Placement


@dataclass(frozen=True)
class Chain:
    """A sequence of servers that together process every block once.

    Attributes
    ----------
    servers
        Positions of the servers, in order of processing.
    blocks
        Blocks processed at each of them, m_ij; they add up to L.
    capacity
        c_k, jobs that the chain may run at once.
    service_time_s
        T_k, mean time of a job [eq. 2].
    """

    servers: tuple[int, ...]
    blocks: tuple[int, ...]
    capacity: int
    service_time_s: float

    @property
    def service_rate(self) -> float:
        """μ_k = 1/T_k, jobs per second."""
        return 1.0 / self.service_time_s


@dataclass(frozen=True, eq=False)
class Composition:
    """Chains as flat arrays: chain k visits `hops[first[k] : first[k + 1]]`.

    Attributes
    ----------
    placement
        Which server hosts which blocks.
    first
        Shape (K + 1,).
    hops
        Positions of the servers of all chains, one chain after another.
    hop_blocks
        Blocks processed at each hop.
    capacities
        c_k, shape (K,), each at least 1.
    service_times_s
        T_k, shape (K,).
    """

    placement: Placement
    first: NDArray[np.int64]
    hops: NDArray[np.int64]
    hop_blocks: NDArray[np.int64]
    capacities: NDArray[np.int64]
    service_times_s: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        instance: Instance,
        placement: Placement,
        servers: Sequence[Sequence[int]],
        capacities: Sequence[int],
    ) -> Composition:
        """Composition of these chains.

        Raises
        ------
        ValueError
            If a chain does not process every block, each at a server that hosts it.
        """
        first = [0]
        hops: list[int] = []
        blocks: list[int] = []
        ticks: list[int] = []
        for k, chain in enumerate(servers):
            boundary, time = 0, 0
            for j in chain:
                start, stop = int(placement.start[j]), int(placement.stop[j])
                if not start <= boundary < stop:
                    raise ValueError(f"chain {k}: server {j} hosts {start} to {stop}, not block {boundary}")
                blocks.append(stop - boundary)
                time += int(instance.time.comm[j]) + int(instance.time.comp[j]) * (stop - boundary)
                boundary = stop
            if boundary != instance.service.blocks:
                raise ValueError(f"chain {k} ends at block {boundary} of {instance.service.blocks}")
            hops.extend(chain)
            first.append(len(hops))
            ticks.append(time)
        times = instance.time.seconds(np.array(ticks, dtype=np.int64))
        return cls(
            placement,
            np.array(first, dtype=np.int64),
            np.array(hops, dtype=np.int64),
            np.array(blocks, dtype=np.int64),
            np.array(capacities, dtype=np.int64),
            times,
        )

    def select(self, chains: Sequence[int] | NDArray[np.int64], capacities: NDArray[np.int64]) -> Composition:
        """These chains only, with these capacities."""
        spans = [slice(int(self.first[k]), int(self.first[k + 1])) for k in chains]
        first = np.cumsum([0] + [span.stop - span.start for span in spans], dtype=np.int64)
        none = np.empty(0, dtype=np.int64)
        return Composition(
            self.placement,
            first,
            np.concatenate([none, *(self.hops[span] for span in spans)]),
            np.concatenate([none, *(self.hop_blocks[span] for span in spans)]),
            np.asarray(capacities, dtype=np.int64),
            self.service_times_s[np.asarray(chains, dtype=np.int64)],
        )

    @cached_property
    def chains(self) -> tuple[Chain, ...]:
        """The chains, in the order in which they were found."""
        return tuple(
            Chain(
                tuple(self.hops[a:b].tolist()),
                tuple(self.hop_blocks[a:b].tolist()),
                int(capacity),
                float(time),
            )
            for a, b, capacity, time in zip(
                self.first[:-1], self.first[1:], self.capacities, self.service_times_s, strict=True
            )
        )

    def to_networkx(self, ids: Sequence[str] | None = None) -> nx.MultiDiGraph:
        """Graph of the servers, each chain a cycle through the orchestrator: see `graph.composition_graph`."""
        from chainopt.model.graph import composition_graph

        return composition_graph(self, ids)

    @property
    def service_rates(self) -> NDArray[np.float64]:
        """μ_k = 1/T_k, jobs per second, shape (K,)."""
        return 1.0 / self.service_times_s

    @property
    def total_service_rate(self) -> float:
        """ν = Σ c_k μ_k, jobs per second [eq. 4]."""
        return float(np.sum(self.capacities / self.service_times_s))

    @property
    def job_servers(self) -> int:
        """C = Σ c_k."""
        return sum(self.capacities.tolist())
