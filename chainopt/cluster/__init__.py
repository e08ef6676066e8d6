"""Clusters in the words of those who own them: GPUs, a model, traffic; and what turns them into instances.

>>> from chainopt import cluster
>>> mine = cluster.Cluster(
...     model="Llama-2-70B", precision="nf4", tokens_in=1500, tokens_out=200, arrival_rate=0.4,
...     servers=[cluster.parse_group("l40s:3@5ms"), cluster.parse_group("2xRTX-4090:2@8ms")],
... )
>>> plan = cluster.planned(mine)
>>> [server.id for server in plan.instance.servers]
['l40s-1', 'l40s-2', 'l40s-3', '2xrtx-4090-1', '2xrtx-4090-2']

From files: :func:`read_cluster` (YAML), :func:`read_servers` (CSV), :func:`read_helix` (the simulator of Helix).
"""

from chainopt.cluster.description import Cluster, Engine, Group
from chainopt.cluster.group_text import parse_group
from chainopt.cluster.helix import read_helix
from chainopt.cluster.planning import Plan, planned, read_cluster
from chainopt.cluster.server_table import read_servers

__all__ = [
    "Cluster",
    "Engine",
    "Group",
    "Plan",
    "parse_group",
    "planned",
    "read_cluster",
    "read_helix",
    "read_servers",
]
