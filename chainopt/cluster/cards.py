"""GPUs by the names that people use for them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from chainopt import catalog

if TYPE_CHECKING:
    from chainopt.catalog.gpus import Gpu

_WORDS = re.compile(r"[^0-9a-z.]+")


@dataclass(frozen=True)
class Found:
    """A GPU, and the other cards that the name could have meant."""

    gpu: Gpu
    others: tuple[str, ...] = ()


def card(name: str) -> Found:
    """The GPU of a name, or of a part of one such as ``a100-80gb``: of several the slowest.

    A card fits if its name has all words of the one that is asked for, whatever their case and what joins them. Least
    bandwidth goes first, then least memory, then the order of the catalogue, so that no plan is too good.

    Raises
    ------
    FormatError
        If there is none; the message lists the closest names.
    """
    wanted, _, profile = name.partition(":")
    if any(gpu.name.casefold() == name.casefold() for gpu in catalog.gpus()):
        return Found(catalog.gpu(name))
    cards = [gpu for gpu in catalog.gpus() if gpu.card is None]
    words = set(_words(wanted))
    fitting = [gpu for gpu in cards if _joined(gpu.name) == _joined(wanted)] or [
        gpu for gpu in cards if words and words <= set(_words(gpu.name))
    ]
    if profile:
        slices = {gpu.name.casefold() for gpu in catalog.gpus()}
        fitting = [gpu for gpu in fitting if f"{gpu.name}:{profile}".casefold() in slices]
    if not fitting:
        return Found(catalog.gpu(name))  # which says what is close
    fitting.sort(key=lambda gpu: (gpu.bandwidth_gb_s, gpu.memory_bytes))
    chosen = fitting[0].name + (f":{profile}" if profile else "")
    return Found(catalog.gpu(chosen), tuple(gpu.name for gpu in fitting[1:]))


def joined(gpu: Gpu, devices: int) -> Gpu:
    """Several GPUs that share each block, as one: memories, bandwidths and FLOPS add up, which is the best there is."""
    if devices == 1:
        return gpu
    return replace(
        gpu,
        name=f"{devices} x {gpu.name}",
        memory_bytes=devices * gpu.memory_bytes,
        usable_bytes=devices * gpu.usable_bytes,
        bandwidth_gb_s=devices * gpu.bandwidth_gb_s,
        tflops=devices * gpu.tflops,
    )


def _words(name: str) -> list[str]:
    return [word for word in _WORDS.split(name.casefold()) if word]


def _joined(name: str) -> str:
    return "".join(_words(name))
