"""The two settings in which every figure is made: as the paper states it, and as its authors' simulator has it.

Where they differ (Sun, He, Hou, arXiv 2604.14993, section 4.1; GitHub: TingyangSunJeff/load_balance_llm_simulator):

| | paper | authors |
|---|---|---|
| orchestrator | drawn from the anchors | the anchor with the lowest latency, always the same |
| fast servers | drawn from the servers | those nearest to the orchestrator |
| overhead of an exchange | 18 ms | none; 50 ms once for the prompt |
| computing speed of the slices | 120 and 80 TFLOPS | 156 and 78 TFLOPS |
| s_c | 0.11 GB | 0.1186 GB (0.115835 GB in figure 6) |

The random numbers of MATLAB are not ours: instances are draws of the same laws, not the same draws.
"""

from __future__ import annotations

from decimal import Decimal

from chainopt.generate import FAMILIES, BloomParameters
from chainopt.model import Instance, Workload
from chainopt.quantity import significant

SETTINGS = ("paper", "authors")
AUTHORS_CACHE_GB = Decimal("0.1186")
ARRIVAL_RATE, TARGET_LOAD, RESERVATION = 0.2, 0.7, 7
AUTHORS_TARGET_LOAD = 0.8
"""ρ̄ in the choice of c, where the paper has 0.7."""
SERVERS, FAST_SHARE = 20, Decimal("0.2")


def bloom(setting: str, seed: int, *, servers: int = SERVERS, fast_share: Decimal = FAST_SHARE) -> Instance:
    """BLOOM-176B on servers at RIPE Atlas anchors."""
    if setting not in SETTINGS:
        raise ValueError(f"expected one of {', '.join(SETTINGS)}, got {setting!r}")
    authors = setting == "authors"
    cache_gb = AUTHORS_CACHE_GB if authors else None
    return FAMILIES["bloom"].instance(
        BloomParameters(servers=servers, fast_share=fast_share, authors=authors, cache_gb=cache_gb), seed=seed
    )


def at_rate(instance: Instance, rate: float, target_load: float = TARGET_LOAD) -> Instance:
    """The same instance at another arrival rate, to 12 significant digits."""
    workload = Workload(arrival_rate=significant(rate, 12), target_load=Decimal(str(target_load)))
    return instance.replace(workload=workload)
