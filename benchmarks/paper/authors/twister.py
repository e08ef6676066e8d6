"""The runs of a reference: the draws of the Mersenne Twister, from the seeds of the authors' scripts.

numpy keeps the sequence of its legacy generator for good, and it is the generator that MATLAB calls ``twister``. What
is drawn from it is drawn here as the reference drew it (permutations by `permutation`, exponentials by inversion), in
the order of the authors' script: places, arrivals, sizes; and the order in which PETALS' servers join from seed + 999.
MATLAB's own permutations may differ.
"""

from __future__ import annotations

import csv
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from benchmarks.paper.authors.setting import JOBS, SETTINGS, Cluster, Jobs
from chainopt import catalog
from chainopt.catalog.lookup import data_text
from chainopt.generate.bloom import ARRIVAL_RATE, NETWORK
from chainopt.generate.sites import RTT_PLACES, Site
from chainopt.generate.slices import AUTHORS, fast_count
from chainopt.model.instance import Instance, Workload
from chainopt.quantity import rounded

ORDER_SEED = 999


def drawn(servers: int, fast_share: Decimal, seed: int) -> tuple[Cluster, Jobs, NDArray[np.int64]]:
    """A cluster of the authors' simulator, 300 jobs, and the order in which servers join PETALS."""
    generator = np.random.RandomState(seed)
    network = catalog.network(NETWORK)
    ranked = _by_median()
    hub, others = ranked[0], ranked[1:]
    places = others[generator.permutation(others.size)][:servers]
    places = places[np.argsort(network.rtt_ms[hub, places], kind="stable")]
    sites = [Site(network.nodes[i], rounded(float(network.rtt_ms[hub, i]), RTT_PLACES)) for i in places.tolist()]
    instance = Instance(
        name=f"bloom-twister-j{servers}-s{seed}",
        service=AUTHORS.service(),
        workload=Workload(arrival_rate=ARRIVAL_RATE),
        servers=AUTHORS.servers(sites, frozenset(range(fast_count(servers, fast_share))), 2000, 20),
    )
    cluster = Cluster.of(instance, SETTINGS["authors"])
    gaps = -np.log(generator.random_sample(JOBS)) / cluster.arrival_rate
    gaps[0] = 0.0
    jobs = Jobs(np.cumsum(gaps), -np.log(generator.random_sample(JOBS)))
    return cluster, jobs, np.random.RandomState(seed + ORDER_SEED).permutation(servers)


def _by_median() -> NDArray[np.int64]:
    """Positions of the anchors by the median of their latencies, ties by number."""
    rows = list(csv.DictReader(data_text(f"{NETWORK}.csv").splitlines()))
    numbers = np.array([int(row["anchor_id"]) for row in rows])
    medians = np.array([float(row["median_ms"]) for row in rows])
    return np.lexsort((numbers, medians))
