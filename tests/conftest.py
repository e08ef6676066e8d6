"""Instances that tests in several rooms use."""

from __future__ import annotations

import pytest

from chainopt.model import Instance, Server, Service, Workload


@pytest.fixture
def worked_example() -> Instance:
    """The worked example of the paper, section 3.1.4, with ε = 0.01."""
    memory, comm = (2, 3, 2, 2, 2), (1, 2, 1, 1, 1)
    return Instance(
        name="worked-example",
        service=Service(blocks=3, block_gb=1, cache_gb=0.1),
        workload=Workload(arrival_rate=0.7, target_load=0.7),
        servers=[
            Server(id=f"s{j}", memory_gb=m, comm_s=c, comp_s_per_block=round(j * 0.01, 2))
            for j, (m, c) in enumerate(zip(memory, comm, strict=True), 1)
        ],
    )
