"""LLaMA-2-7B on cut cards, the testbed of the paper's experiments."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from chainopt import catalog
from chainopt.generate import sites
from chainopt.generate.bloom import NETWORK
from chainopt.generate.cards import slice_servers
from chainopt.generate.family import Draft, Family, Traffic
from chainopt.generate.options import MAX_TOKENS, OVERHEAD_MS, RESERVE_GIB, TOKENS_IN, TOKENS_OUT, count, word

if TYPE_CHECKING:
    from chainopt.generate.draws import Draws

MODEL = "Llama-2-7B"
CARD = "A100-SXM-80GB"
ARRIVAL_RATE = Decimal("2.57")
"""Of the Azure trace that the paper takes its requests from."""


@dataclass(frozen=True, kw_only=True)
class LlamaParameters(Traffic):
    """Parameters of the family llama; the defaults are the paper's where it states them."""

    cards: int = field(default=3, metadata=count("Number of A100 cards with 80 GB", most=100))
    partition: str = field(
        default="3g.40gb+2g.20gb+2g.20gb", metadata=word("MIG profiles that each card is cut into, joined by +")
    )
    precision: str = field(default="fp16", metadata=word("Number format of the weights", tuple(catalog.PRECISIONS)))
    tokens_in: int = field(default=2048, metadata=TOKENS_IN)
    tokens_out: int = field(default=28, metadata=TOKENS_OUT)
    max_tokens: int = field(default=2048, metadata=MAX_TOKENS)
    overhead_ms: Decimal = field(default=Decimal("18"), metadata=OVERHEAD_MS)
    reserve_gib: Decimal = field(default=Decimal("0"), metadata=RESERVE_GIB)


def build(parameters: LlamaParameters, draws: Draws) -> Draft:
    """Cut the cards, and draw where the orchestrator and each slice is: their round trip times are emulated."""
    model = catalog.model(MODEL)
    slices = catalog.partition(CARD, parameters.partition.split("+"))
    network, total = catalog.network(NETWORK), parameters.cards * len(slices)
    sites.check_room(network, total, "cards")
    orchestrator, places = sites.drawn(network, total, draws)
    assume = catalog.Assumptions(
        weights=parameters.precision, overhead_ms=parameters.overhead_ms, reserve_gib=parameters.reserve_gib
    )
    placed = [(i // len(slices), slices[i % len(slices)], place) for i, place in enumerate(places)]
    return Draft(
        name=f"llama-{parameters.precision}-j{total}-s{draws.seed}",
        note=f"LLaMA-2-7B in {parameters.precision} on MIG slices of {parameters.cards} A100 with 80 GB, "
        f"round trip times emulated from RIPE Atlas anchors, orchestrator at anchor {orchestrator}",
        service=catalog.service(model, parameters.max_tokens, assume),
        servers=slice_servers(model, placed, parameters.tokens_in, parameters.tokens_out, assume),
        arrival_rate=ARRIVAL_RATE,
    )


LLAMA = Family(
    "llama",
    "LLaMA-2-7B on MIG slices of A100-80GB, the paper's testbed: 3 of 3g.40gb and 6 of 2g.20gb",
    "Sun, He, Hou, arXiv 2604.14993, section 4.2; sizes, speeds and usable memory from the catalogue",
    LlamaParameters,
    build,
)
