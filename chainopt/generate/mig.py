"""Any model of the catalogue on cards that are cut at random."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from chainopt import catalog
from chainopt.generate import sites
from chainopt.generate.bloom import MOST, NETWORK
from chainopt.generate.cards import slice_servers
from chainopt.generate.family import Draft, Family, Traffic
from chainopt.generate.options import MAX_TOKENS, OVERHEAD_MS, RESERVE_GIB, TOKENS_IN, TOKENS_OUT, count, word

if TYPE_CHECKING:
    from chainopt.generate.draws import Draws


@dataclass(frozen=True, kw_only=True)
class MigParameters(Traffic):
    """Parameters of the family mig."""

    model: str = field(default="Llama-3.1-70B", metadata=word("Model of the catalogue"))
    card: str = field(default="A100-SXM-80GB", metadata=word("Card of the catalogue that can be cut"))
    cards: int = field(default=4, metadata=count("Number of cards", most=MOST))
    precision: str | None = field(
        default=None,
        metadata=word(
            "Number format of the weights; that of the published ones unless given", tuple(catalog.PRECISIONS)
        ),
    )
    tokens_in: int = field(default=2048, metadata=TOKENS_IN)
    tokens_out: int = field(default=128, metadata=TOKENS_OUT)
    max_tokens: int = field(default=4096, metadata=MAX_TOKENS)
    overhead_ms: Decimal = field(default=Decimal("18"), metadata=OVERHEAD_MS)
    reserve_gib: Decimal = field(default=Decimal("0"), metadata=RESERVE_GIB)


def build(parameters: MigParameters, draws: Draws) -> Draft:
    """Draw where the orchestrator and the cards are, and a partition of each card among all that are full."""
    model, card = catalog.model(parameters.model), catalog.gpu(parameters.card)
    cuts = catalog.partitions(card.name)
    network = catalog.network(NETWORK)
    sites.check_room(network, parameters.cards, "cards")
    orchestrator, places = sites.drawn(network, parameters.cards, draws)
    placed = [
        (i, gpu, place) for i, place in enumerate(places) for gpu in catalog.partition(card.name, draws.choice(cuts))
    ]
    assume = catalog.Assumptions(
        weights=parameters.precision, overhead_ms=parameters.overhead_ms, reserve_gib=parameters.reserve_gib
    )
    precision = (parameters.precision or model.precision.name).lower()
    return Draft(
        name=f"mig-{model.name.lower()}-{precision}-{parameters.cards}x{card.name.lower()}-s{draws.seed}",
        note=f"{model.name} in {precision} on random MIG partitions of {parameters.cards} {card.name} at RIPE Atlas "
        f"anchors, orchestrator at anchor {orchestrator}",
        service=catalog.service(model, parameters.max_tokens, assume),
        servers=slice_servers(model, placed, parameters.tokens_in, parameters.tokens_out, assume),
    )


MIG = Family(
    "mig",
    "Any model of the catalogue on cards cut into random valid MIG partitions, at RIPE Atlas anchors",
    "sizes, speeds and partitions from the catalogue, round trip times from RIPE Atlas",
    MigParameters,
    build,
)
