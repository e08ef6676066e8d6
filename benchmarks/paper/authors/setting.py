"""The two settings of the overall comparison, and a cluster as the authors' simulator sees it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainopt import catalog
from chainopt.generate import FAMILIES, BloomParameters
from chainopt.generate.bloom import NETWORK
from chainopt.model.instance import Instance

TOKENS_OUT = 20
FAST_MEMORY_GB = 40.0
JOBS = 300


@dataclass(frozen=True)
class Setting:
    """How clusters are drawn.

    Attributes
    ----------
    authors
        Whether as the authors' simulator does: orchestrator at the best connected anchor, fast servers next to it.
    overhead_ms
        Milliseconds of an exchange besides the round trip.
    initial_ms
        What every job takes before it runs; it does not grow with the job.
    """

    name: str
    authors: bool
    overhead_ms: float
    initial_ms: float

    def instance(self, servers: int, fast_share: Decimal, seed: int) -> Instance:
        """The instance of the family bloom with that seed, 0.2 jobs/s."""
        parameters = BloomParameters(servers=servers, fast_share=fast_share, authors=self.authors)
        return FAMILIES["bloom"].instance(parameters, seed=seed)


SETTINGS = {
    setting.name: setting
    for setting in (
        Setting("authors", authors=True, overhead_ms=0.0, initial_ms=70.0),
        Setting("paper", authors=False, overhead_ms=18.0, initial_ms=0.0),
    )
}


class Cluster(NamedTuple):
    """Servers as the authors' simulator has them.

    Attributes
    ----------
    memory_gb
        M_j, shape (J,).
    fast
        Whether it is of the fast kind, shape (J,).
    block_ms
        τ^p_j, milliseconds of a job a block, shape (J,).
    comm_ms
        τ^c_j, milliseconds of a job, shape (J,).
    token_ms
        Milliseconds of an exchange with the server, round trip and overhead, shape (J,).
    rtt_ms
        Round trip from the orchestrator, shape (J,).
    between_ms
        Round trips between servers, shape (J, J).
    blocks
        L.
    block_gb, cache_gb
        s_m and s_c.
    arrival_rate
        λ, jobs per millisecond.
    initial_ms
        As in `Setting`.
    """

    memory_gb: NDArray[np.float64]
    fast: NDArray[np.bool_]
    block_ms: NDArray[np.float64]
    comm_ms: NDArray[np.float64]
    token_ms: NDArray[np.float64]
    rtt_ms: NDArray[np.float64]
    between_ms: NDArray[np.float64]
    blocks: int
    block_gb: float
    cache_gb: float
    arrival_rate: float
    initial_ms: float

    @classmethod
    def of(cls, instance: Instance, setting: Setting) -> Cluster:
        """The servers of an instance of the family bloom, whose tags say where they are."""
        network = catalog.network(NETWORK)
        place = {node: i for i, node in enumerate(network.nodes)}
        sites = [place[str(server.tags["site"])] for server in instance.servers]
        memory = np.array([float(server.memory_gb) for server in instance.servers])
        rtt = np.array([float(str(server.tags["rtt_ms"])) for server in instance.servers])
        return cls(
            memory_gb=memory,
            fast=memory == FAST_MEMORY_GB,
            block_ms=np.array([1000 * float(server.comp_s_per_block) for server in instance.servers]),
            comm_ms=np.array([1000 * float(server.comm_s) for server in instance.servers]),
            token_ms=rtt + setting.overhead_ms,
            rtt_ms=rtt,
            between_ms=np.ascontiguousarray(network.rtt_ms[np.ix_(sites, sites)]),
            blocks=instance.service.blocks,
            block_gb=float(instance.service.block_gb),
            cache_gb=float(instance.service.cache_gb),
            arrival_rate=float(instance.workload.arrival_rate) / 1000,
            initial_ms=setting.initial_ms,
        )


class Jobs(NamedTuple):
    """What comes: arrivals in milliseconds, ascending, the first at 0; sizes of mean 1; both of shape (n,)."""

    arrival_ms: NDArray[np.float64]
    size: NDArray[np.float64]

    @classmethod
    def drawn(cls, arrival_rate: float, seed: int, count: int = JOBS) -> Jobs:
        """Poisson arrivals and exponential sizes; the rate is in jobs per millisecond."""
        generator = np.random.default_rng(seed)
        gaps = generator.standard_exponential(count) / arrival_rate
        gaps[0] = 0.0
        return cls(np.cumsum(gaps), generator.standard_exponential(count))
