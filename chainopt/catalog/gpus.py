"""GPUs, and the MIG slices that some of them are cut into."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from chainopt.catalog.lookup import data_table, find
from chainopt.quantity import rounded

_UNITS = {"GB": 10**9, "GiB": 2**30, "MiB": 2**20}
TFLOPS_PLACES = 2


@dataclass(frozen=True)
class Gpu:
    """A GPU or a MIG slice of one.

    Attributes
    ----------
    memory_bytes
        Nominal memory.
    usable_bytes
        Memory that a program can get, as the driver reports it; the nominal one where no source says. Still without
        what the program itself, its framework and other programs take.
    bandwidth_gb_s
        Peak memory bandwidth, 10^9 bytes a second.
    tflops
        Peak dense rate of FP16 or BF16 tensor operations with FP32 accumulation, 10^12 a second: neither the sparse
        rate nor that with FP16 accumulation, which data sheets like to print.
    bf16
        Whether it knows BF16.
    source
        Where the numbers are from.
    confidence
        ``high``, or ``low`` if sources disagree or a number is from memory.
    card
        The card that this is a slice of; ``None`` for a whole one.
    compute_slices, memory_slices
        Share of the card, in its compute and memory slices; 0 for a whole card.
    """

    name: str
    memory_bytes: int
    usable_bytes: int
    bandwidth_gb_s: Decimal
    tflops: Decimal
    bf16: bool
    source: str
    confidence: str
    card: str | None = None
    compute_slices: int = 0
    memory_slices: int = 0

    @property
    def profile(self) -> str | None:
        """Name of the MIG profile, such as ``3g.40gb``; ``None`` for a whole card."""
        return None if self.card is None else self.name.rpartition(":")[2]


def gpu(name: str) -> Gpu:
    """The GPU of that name, whatever its case. Slices are named ``CARD:PROFILE``, as in ``A100-SXM-80GB:3g.40gb``.

    Raises
    ------
    FormatError
        If there is none; the message lists the closest names.
    """
    return find(_table(), name, "GPU")


def gpus() -> tuple[Gpu, ...]:
    """All GPUs, each followed by its slices."""
    return tuple(_table().values())


def amount_of_memory(text: str) -> int:
    """Bytes of an amount such as ``79.13 GiB``, rounded down to whole bytes."""
    number, unit = text.split()
    return int(Fraction(number) * _UNITS[unit])


@functools.cache
def _table() -> dict[str, Gpu]:
    data = data_table("gpus.toml")
    cuts = {card: cut for cut in data["mig"].values() for card in cut["cards"]}
    table = {}
    for name, row in data["gpus"].items():
        card = _card(name, row)
        table[name] = card
        for profile in cuts[name]["profiles"] if name in cuts else []:
            slice_ = _slice(card, cuts[name], profile)
            table[slice_.name] = slice_
    return table


def _card(name: str, row: dict[str, Any]) -> Gpu:
    memory = amount_of_memory(row["memory"])
    return Gpu(
        name=name,
        memory_bytes=memory,
        usable_bytes=amount_of_memory(row["usable"]) if "usable" in row else memory,
        bandwidth_gb_s=Decimal(row["gb_s"]),
        tflops=Decimal(row["tflops"]),
        bf16=row.get("bf16", True),
        source=row["source"],
        confidence=row["confidence"],
    )


def _slice(card: Gpu, cut: dict[str, Any], profile: dict[str, Any]) -> Gpu:
    """Nominal memory and bandwidth go by memory slices, TFLOPS by SMs, rounded to :data:`TFLOPS_PLACES`."""
    memory_share = Fraction(profile["memory"], cut["memory"])
    compute_share = Fraction(profile["sm"], cut["sm"])
    return Gpu(
        name=f"{card.name}:{profile['name']}",
        memory_bytes=int(card.memory_bytes * memory_share),
        usable_bytes=amount_of_memory(profile["usable"]),
        bandwidth_gb_s=rounded(Fraction(card.bandwidth_gb_s) * memory_share, 3),
        tflops=rounded(Fraction(card.tflops) * compute_share, TFLOPS_PLACES),
        bf16=card.bf16,
        source=f"{cut['source']}; shares of {card.name}",
        confidence=profile.get("confidence", cut["confidence"]),
        card=card.name,
        compute_slices=profile["compute"],
        memory_slices=profile["memory"],
    )
