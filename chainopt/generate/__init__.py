"""Families of instances, reproducible from a seed.

>>> from chainopt.generate import FAMILIES, BloomParameters
>>> FAMILIES["bloom"].instance(BloomParameters(servers=10, fast_share=0.4), seed=1).name
'bloom-ripe-j10-eta40-s1'

Equal parameters and an equal seed give the same instance, letter by letter, on every machine and with every version
of Python and numpy. A new family is one file here, and one line in `FAMILIES`.
"""

from __future__ import annotations

from typing import Any

from chainopt.generate.bloom import BLOOM, BloomParameters
from chainopt.generate.family import Family, Traffic
from chainopt.generate.heterogeneous import RANDOM, RandomParameters
from chainopt.generate.homogeneous import HOMOGENEOUS, HomogeneousParameters
from chainopt.generate.llama import LLAMA, LlamaParameters
from chainopt.generate.mig import MIG, MigParameters
from chainopt.generate.rates import rate_bound
from chainopt.generate.tiny import TINY, TinyParameters
from chainopt.generate.topology import TOPOLOGY, TopologyParameters
from chainopt.generate.traps import Trap, traps

FAMILIES: dict[str, Family[Any]] = {
    family.name: family
    for family in (
        TINY,
        RANDOM,
        HOMOGENEOUS,
        BLOOM,
        LLAMA,
        MIG,
        TOPOLOGY,
    )
}

__all__ = [
    "FAMILIES",
    "BloomParameters",
    "Family",
    "HomogeneousParameters",
    "LlamaParameters",
    "MigParameters",
    "RandomParameters",
    "TinyParameters",
    "TopologyParameters",
    "Traffic",
    "Trap",
    "rate_bound",
    "traps",
]
