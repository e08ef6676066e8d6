"""Which server hosts which blocks: greedy rules and baselines.

A new rule is one file here, and one line in `PLACEMENTS`.
"""

from chainopt.placement.candidates import (
    cg_bp_candidates,
    greedy_candidates,
    petals_candidates,
    random_candidates,
    whole_model_candidates,
)
from chainopt.placement.cg_bp import cg_bp
from chainopt.placement.even_split import even_split_candidates
from chainopt.placement.greedy import gbp_cr
from chainopt.placement.helix import helix_petals_candidates
from chainopt.placement.homogeneous import homogeneous_candidates
from chainopt.placement.parallax import parallax_candidates, parallax_greedy_candidates
from chainopt.placement.petals import petals
from chainopt.placement.proportional import proportional_candidates
from chainopt.placement.swarm import swarm_candidates
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
    "even-split": Method(
        even_split_candidates,
        "pipelines with equal numbers of blocks on all servers, of every length",
        "vllm-project/vllm, get_pp_indices; sgl-project/sglang, get_pp_indices",
    ),
    "memory-share": Method(
        proportional_candidates,
        "pipelines with blocks in proportion to memory, of every length",
        "exo-explore/exo, allocate_layers_proportionally; ggml-org/llama.cpp, --split-mode layer",
    ),
    "homogeneous": Method(
        homogeneous_candidates,
        "pipelines of servers of one kind, with and without filled gaps, for every c",
        "Mei et al., Helix, ASPLOS 2025, homogeneous layout",
    ),
    "swarm": Method(
        swarm_candidates,
        "stages of equally many blocks and about equal rates, for every number of stages that divides L",
        "Ryabinin et al., SWARM, arXiv 2301.11913; layout of Mei et al., Helix, ASPLOS 2025",
    ),
    "helix-petals": Method(
        helix_petals_candidates,
        "half of the memory for blocks, every server where blocks are served least",
        "Mei et al., Helix, ASPLOS 2025, its layout after PETALS",
    ),
    "parallax": Method(
        parallax_candidates,
        "k pipelines of s servers with the largest k^2/s, blocks in proportion to speed",
        "GradientHQ/parallax, dynamic program and water-filling",
    ),
    "parallax-greedy": Method(
        parallax_greedy_candidates,
        "short pipelines one after another, blocks in proportion to speed",
        "GradientHQ/parallax, greedy allocator and water-filling",
    ),
    "petals": Method(
        petals_candidates,
        "each server where it is needed most, as PETALS servers choose their blocks",
        "Borzunov et al., arXiv 2312.08361; bigscience-workshop/petals, src/petals/server",
    ),
    "cg-bp": Method(
        cg_bp_candidates,
        "conservative greedy block placement of BPRR, for every number of sessions",
        "Sun, He, Ji, Parag, arXiv 2512.21884, CG-BP",
    ),
}

STARTS = ("gbp-cr", "whole-model", "random")
"""What exact methods and searches start from: quick, and as good as any; the others are baselines."""

__all__ = ["PLACEMENTS", "STARTS", "cg_bp", "gbp_cr", "petals", "random_placement", "whole_model"]
