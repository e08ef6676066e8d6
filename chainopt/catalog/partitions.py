"""How a card can be cut into MIG slices: they must fit its compute slices and its memory slices.

The driver also ties each slice to places on the card. Whatever fits by number has places too, so the numbers decide;
the tests compare the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt.catalog.gpus import Gpu, gpu, gpus
from chainopt.catalog.lookup import data_table, find
from chainopt.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def profiles(card: str) -> tuple[Gpu, ...]:
    """The kinds of slices that a card can be cut into; none if it has no MIG."""
    name = gpu(card).name
    return tuple(each for each in gpus() if each.card == name)


def slices_of(card: str) -> tuple[int, int]:
    """Compute slices and memory slices of a card.

    Raises
    ------
    FormatError
        If the card cannot be cut.
    """
    name = gpu(card).name
    for cut in data_table("gpus.toml")["mig"].values():
        if name in cut["cards"]:
            return cut["compute"], cut["memory"]
    raise FormatError(f"{name} cannot be cut into MIG slices")


def partition(card: str, names: Sequence[str]) -> tuple[Gpu, ...]:
    """The slices of those profiles, cut from one card.

    Parameters
    ----------
    names
        Profiles such as ``3g.40gb``, in any order, repeated as often as wanted.

    Raises
    ------
    FormatError
        If the card has no such profile, or not room for all of them.
    """
    compute, memory = slices_of(card)
    by_profile = {str(each.profile): each for each in profiles(card)}
    slices = tuple(find(by_profile, name, f"MIG profile of {gpu(card).name}") for name in names)
    for total, used, kind in (
        (compute, sum(each.compute_slices for each in slices), "compute"),
        (memory, sum(each.memory_slices for each in slices), "memory"),
    ):
        if used > total:
            raise FormatError(
                f"{' + '.join(names)} takes {used} {kind} slices, expected at most the {total} of {gpu(card).name}"
            )
    return slices


def partitions(card: str, *, full: bool = True) -> tuple[tuple[str, ...], ...]:
    """All ways to cut a card, as profiles from the largest to the smallest.

    Parameters
    ----------
    full
        Only those to which no further slice can be added.

    Raises
    ------
    FormatError
        If the card cannot be cut.
    """
    compute, memory = slices_of(card)
    kinds = sorted(profiles(card), key=lambda each: (each.compute_slices, each.memory_slices), reverse=True)

    def cuts(first: int, compute: int, memory: int) -> Iterator[tuple[str, ...]]:
        fits = [each.compute_slices <= compute and each.memory_slices <= memory for each in kinds]
        if not (full and any(fits)):
            yield ()
        for i in range(first, len(kinds)):
            if fits[i]:
                rest = cuts(i, compute - kinds[i].compute_slices, memory - kinds[i].memory_slices)
                yield from ((str(kinds[i].profile), *more) for more in rest)

    return tuple(cut for cut in cuts(0, compute, memory) if cut)
