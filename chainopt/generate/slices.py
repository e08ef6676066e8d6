"""Servers of two kinds, fast and slow, as the paper's simulations have them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from chainopt import catalog
from chainopt.model.instance import Server, Service
from chainopt.quantity import rounded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainopt.generate.draws import Draws
    from chainopt.generate.sites import Site

TIME_PLACES = 6
MODEL = "BLOOM-176B"
FLOP_PER_TOKEN = 5 * 10**9
BLOCK_GB = Decimal("1.32")


def _slice(name: str, memory_gb: int, bandwidth_gb_s: int, tflops: int, source: str) -> catalog.Gpu:
    return catalog.Gpu(
        name=name,
        memory_bytes=memory_gb * 10**9,
        usable_bytes=memory_gb * 10**9,
        bandwidth_gb_s=Decimal(bandwidth_gb_s),
        tflops=Decimal(tflops),
        bf16=True,
        source=source,
        confidence="high",
    )


@dataclass(frozen=True)
class Setting:
    """How BLOOM-176B is served.

    Attributes
    ----------
    fast, slow
        The two kinds of servers.
    cache_gb
        s_c.
    overhead_ms, prompt_overhead_ms
        Milliseconds of an exchange besides the round trip, and the same for the prompt.
    """

    fast: catalog.Gpu
    slow: catalog.Gpu
    cache_gb: Decimal
    overhead_ms: int
    prompt_overhead_ms: int

    def service(self, cache_gb: Decimal | None = None) -> Service:
        """The service: blocks of 1.32 GB, and its own s_c unless another is given."""
        blocks = len(catalog.model(MODEL).blocks)
        return Service(name=MODEL, blocks=blocks, block_gb=BLOCK_GB, cache_gb=cache_gb or self.cache_gb)

    def servers(
        self, sites: Sequence[Site], fast: frozenset[int], tokens_in: int, tokens_out: int
    ) -> tuple[Server, ...]:
        """One server at each site; those whose positions are in `fast` are of the fast kind."""
        comp = {
            gpu.name: rounded(
                catalog.roofline_s(FLOP_PER_TOKEN, BLOCK_GB, gpu, tokens_in, tokens_out),
                TIME_PLACES,
            )
            for gpu in (self.fast, self.slow)
        }
        width = len(str(len(sites)))
        servers = []
        for j, site in enumerate(sites):
            gpu = self.fast if j in fast else self.slow
            servers.append(
                Server(
                    id=f"s{j + 1:0{width}d}",
                    memory_gb=catalog.memory_gb(gpu, nominal=True),
                    comm_s=catalog.comm_s(
                        site.rtt_ms,
                        tokens_out,
                        overhead_ms=self.overhead_ms,
                        prompt_overhead_ms=self.prompt_overhead_ms,
                    ),
                    comp_s_per_block=comp[gpu.name],
                    tags={"gpu": gpu.name, "site": site.node, "rtt_ms": float(site.rtt_ms)},
                )
            )
        return tuple(servers)


PAPER = Setting(
    fast=_slice("A100 MIG 3g.40gb", 40, 1020, 120, "the paper, section 4.1"),
    slow=_slice("A100 MIG 2g.20gb", 20, 510, 80, "the paper, section 4.1"),
    cache_gb=Decimal("0.11"),
    overhead_ms=18,
    prompt_overhead_ms=18,
)
"""As the paper states it."""

AUTHORS = Setting(
    fast=_slice("A100 MIG 3g.40gb", 40, 1020, 156, "the authors' simulator"),
    slow=_slice("A100 MIG 2g.20gb", 20, 510, 78, "the authors' simulator"),
    cache_gb=rounded(catalog.cache_gb(catalog.model(MODEL), 2020), 6),
    overhead_ms=0,
    prompt_overhead_ms=50,
)
"""As the simulator of the paper's authors has it: s_c of 2,020 tokens, 20 RTT + 50 ms for 20 tokens out."""


def drawn_fast(servers: int, share: Decimal, draws: Draws) -> frozenset[int]:
    """Positions of the fast servers, floor(share · servers) of them, drawn at random."""
    return frozenset(draws.sample(range(servers), fast_count(servers, share)))


def fast_count(servers: int, share: Decimal) -> int:
    """floor(share · servers)."""
    return int(Fraction(share) * servers)


def percent(share: Decimal) -> str:
    """A share as a percentage, without the sign, for names."""
    return format((share * 100).normalize(), "f")
