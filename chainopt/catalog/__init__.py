"""Models, GPUs and networks, and what turns them into the numbers of an instance.

>>> from chainopt import catalog
>>> bloom, slice_ = catalog.model("BLOOM-176B"), catalog.gpu("A100-SXM-80GB:3g.40gb")
>>> catalog.block_gb(bloom, "nf4"), catalog.cache_gb(bloom, tokens=2048)
(Decimal('1.3233976672'), Decimal('0.117440512'))
>>> catalog.comp_s_per_block(bloom, slice_, tokens_in=2000, tokens_out=20, weights="nf4")
Decimal('0.106976963')
>>> europe = catalog.network("ripe-atlas-europe")
>>> europe.nodes[europe.hub], round(float(europe.rtt_ms[europe.hub].max()), 2)
('1163', 42.17)

Models: :func:`model`, :func:`models`, :func:`read_config` (any ``config.json`` of Hugging Face), :func:`parse_config`.
GPUs: :func:`gpu`, :func:`gpus`, and the MIG slices :func:`partition`, :func:`partitions`, :func:`profiles`.
Networks: :func:`network`, :func:`networks`, :func:`read_anchors`, :func:`read_repetita`.
Memory in GB = 10^9 bytes, exact: :func:`block_gb`, :func:`cache_gb`, :func:`ends_gb`, :func:`memory_gb`.
Times in seconds: :func:`comp_s_per_block`, :func:`comm_s`, :func:`roofline_s`.
Parts of an instance: :func:`service`, :func:`server`, both under :class:`Assumptions`.
"""

from chainopt.catalog.blocks import Block, Layout
from chainopt.catalog.gpus import Gpu, gpu, gpus
from chainopt.catalog.models import Model, model, models, parse_config, read_config
from chainopt.catalog.networks import Network, network, networks, read_anchors, read_repetita
from chainopt.catalog.partitions import partition, partitions, profiles
from chainopt.catalog.precisions import PRECISIONS, Precision, precision
from chainopt.catalog.servers import Assumptions, server, service
from chainopt.catalog.sizes import (
    block_gb,
    block_sizes_gb,
    blocks_gb,
    cache_gb,
    cache_sizes_gb,
    ends_gb,
    gib_in_gb,
    memory_gb,
)
from chainopt.catalog.times import comm_s, comp_s_per_block, flop_per_token, roofline_s

__all__ = [
    "PRECISIONS",
    "Assumptions",
    "Block",
    "Gpu",
    "Layout",
    "Model",
    "Network",
    "Precision",
    "block_gb",
    "block_sizes_gb",
    "blocks_gb",
    "cache_gb",
    "cache_sizes_gb",
    "comm_s",
    "comp_s_per_block",
    "ends_gb",
    "flop_per_token",
    "gib_in_gb",
    "gpu",
    "gpus",
    "memory_gb",
    "model",
    "models",
    "network",
    "networks",
    "parse_config",
    "partition",
    "partitions",
    "precision",
    "profiles",
    "read_anchors",
    "read_config",
    "read_repetita",
    "roofline_s",
    "server",
    "service",
]
