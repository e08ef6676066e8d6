"""Which server hosts which blocks: greedy rules and baselines.

A new rule is one file here, and one line in `PLACEMENTS`.
"""

from chainopt.placement.candidates import greedy_candidates, random_candidates, whole_model_candidates
from chainopt.placement.greedy import gbp_cr
from chainopt.placement.uniform import random_placement
from chainopt.placement.whole_model import whole_model
from chainopt.protocols import Method, PlacementRule

PLACEMENTS: dict[str, Method[PlacementRule]] = {
    "gbp-cr": Method(
        greedy_candidates,
        "greedy block placement with cache reservation, for every c and both stops",
        "Sun, He, Hou, arXiv 2604.14993, Algorithm 1",
    ),
    "whole-model": Method(
        whole_model_candidates,
        "all blocks on every server that has the memory",
        "Sun, He, Hou, arXiv 2604.14993, section 4.2 (JFFC only)",
    ),
    "random": Method(
        random_candidates,
        "as many blocks as GBP-CR on every server, at random places, for every c",
        "Sun, He, Hou, arXiv 2604.14993, figure 1",
    ),
}

__all__ = ["PLACEMENTS", "gbp_cr", "random_placement", "whole_model"]
