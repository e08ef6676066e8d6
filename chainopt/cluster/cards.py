"""GPUs by the names that people use for them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from chainopt import catalog
from chainopt.errors import FormatError
from chainopt.model.record import shown

if TYPE_CHECKING:
    from chainopt.catalog.gpus import Gpu

_SEPARATORS = re.compile(r"[^0-9a-z.]+")
_GIGABYTES = re.compile(r"\b([0-9]+)[ _-]*g(i?b)?\b")
_NUMBER = re.compile(r"(?:[a-z]*?)([0-9]{4,}|[a-z]+[0-9]{1,3})")
"""What is the same in names of one number: 6000 of rtx6000 and a6000, h100 itself."""
_MAKERS = {"nvidia", "geforce", "tesla", "quadro", "amd", "radeon", "instinct", "intel", "apple"}
_KINDS_OF_MEMORY = {"hbm2", "hbm2e", "hbm3", "hbm3e", "gddr6", "gddr6x", "gddr7"}
_SAME = {"sxm4": "sxm", "sxm5": "sxm", "sxm6": "sxm"}
_SAID_IN_VAIN = {*_MAKERS, *_KINDS_OF_MEMORY, "gpu", "blackwell", "edition", "sxm2", "sxm3"}
"""Words that nvidia-smi and shops add; the only cards with SXM2 or SXM3 here are the V100s."""
_NEVER_LEFT_OUT = {"pro", "max", "ultra"}
"""What makes another product of a name: an RTX 6000 is no RTX PRO 6000, an M2 no M2 Ultra."""


@dataclass(frozen=True)
class Found:
    """A GPU, and what is to be said of how it was found.

    Attributes
    ----------
    others
        Other cards that the name could have meant.
    as_named
        Whether the name is that of the GPU, but for case and punctuation.
    """

    gpu: Gpu
    others: tuple[str, ...] = ()
    as_named: bool = True


def card(name: str) -> Found:
    """The GPU of a name, or of a part of one such as ``a100-80gb``: of several the slowest.

    A card fits if its name has all words of the one that is asked for, whatever their case and what joins them; makers,
    series and kinds of memory, as in the names of nvidia-smi, do not count. Words that make another product, such as
    PRO, have to be said. Least bandwidth goes first, then least memory, then the order of the catalogue, so that no
    plan is too good.

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
    fitting = [gpu for gpu in cards if "".join(_words(gpu.name)) == "".join(_words(wanted))] or [
        gpu for gpu in cards if words and words <= (full := set(_words(gpu.name))) and full & _NEVER_LEFT_OUT <= words
    ]
    whole = fitting
    if profile:
        slices = {gpu.name.casefold() for gpu in catalog.gpus()}
        fitting = [gpu for gpu in fitting if f"{gpu.name}:{profile}".casefold() in slices]
    if not fitting:
        raise _unknown(name, wanted, cards, whole)
    fitting.sort(key=lambda gpu: (gpu.bandwidth_gb_s, gpu.memory_bytes))
    chosen = catalog.gpu(fitting[0].name + (f":{profile}" if profile else ""))
    same = _letters(chosen.name) == _letters(name)
    return Found(chosen, tuple(gpu.name for gpu in fitting[1:]), as_named=same)


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
    """What tells cards apart: ``NVIDIA A100-SXM4-80 GB`` is a100, sxm, 80gb."""
    words = _SEPARATORS.split(_GIGABYTES.sub(r"\1gb", name.casefold()))
    return [_SAME.get(word, word) for word in words if word and word not in _SAID_IN_VAIN]


def _unknown(name: str, wanted: str, cards: list[Gpu], fitting: list[Gpu]) -> FormatError:
    """That there is no such GPU, and what is close: slices of the first card that fits, cards of the same number."""
    slices = [gpu.name for gpu in catalog.gpus() if fitting and gpu.card == fitting[0].name]
    numbers = tuple(match[1] for word in _words(wanted) if (match := _NUMBER.fullmatch(word)))
    close = [gpu.name for gpu in cards if numbers and any(word.endswith(numbers) for word in _words(gpu.name))]
    if slices or close:
        return FormatError(f"no GPU is named {shown(name)}; did you mean {' or '.join(slices or close)}?")
    try:
        catalog.gpu(name)
    except FormatError as error:
        return error
    raise AssertionError("a name of the catalogue fits")


def _letters(name: str) -> str:
    return _SEPARATORS.sub("", name.casefold())
