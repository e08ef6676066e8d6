"""Water-filling: blocks of a pipeline in proportion to the speed of its servers, as far as their capacities allow."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def water_fill(blocks: int, capacities: Sequence[int], block_times: Sequence[int]) -> list[int]:
    """Blocks of each server: x_i = min(c_i, λ / τ_i) with Σ x_i = L, rounded.

    All are rounded down, and the largest remainders up, ties to the first. λ is found exactly, where Parallax bisects.
    A server that takes no time is full before others have anything; where such servers suffice they are filled one
    after another.

    Parameters
    ----------
    blocks
        L, at most Σ c_i.
    capacities
        c_i >= 0.
    block_times
        τ_i >= 0, times for a block, in any unit: the speed is F_i = 1 / τ_i.

    Raises
    ------
    ValueError
        If the capacities do not add up to L.

    References
    ----------
    GradientHQ/parallax, src/scheduling/layer_allocation.py, adjust_pipeline_layers, there with TFLOPS for the speed.
    """
    if sum(capacities) < blocks:
        raise ValueError(f"expected capacities for {blocks} blocks, got {sum(capacities)}")
    level = _level(blocks, capacities, block_times)
    if level == 0:
        counts = [0] * len(capacities)
        left = blocks
        for i, (most, time) in enumerate(zip(capacities, block_times, strict=True)):
            counts[i] = min(most, left) if time == 0 else 0
            left -= counts[i]
        return counts
    targets = [
        Fraction(most) if time == 0 else min(Fraction(most), level / time)
        for most, time in zip(capacities, block_times, strict=True)
    ]
    counts = [int(target) for target in targets]
    by_remainder = sorted(range(len(counts)), key=lambda i: (counts[i] - targets[i], i))
    for i in by_remainder[: blocks - sum(counts)]:
        counts[i] += 1
    return counts


def _level(blocks: int, capacities: Sequence[int], block_times: Sequence[int]) -> Fraction:
    """λ with Σ min(c_i, λ / τ_i) = L; 0 where servers that take no time suffice.

    Servers are full at λ = c_i τ_i. Up to the next of these levels the sum grows by the speeds of the others.
    """
    full_at = sorted((most * time, most, time) for most, time in zip(capacities, block_times, strict=True))
    full = 0
    speed = sum((Fraction(1, time) for time in block_times if time), Fraction(0))
    for level, most, time in full_at:
        if time and full + level * speed >= blocks:
            break
        full += most
        speed -= Fraction(1, time) if time else 0
        if not time and full >= blocks:
            return Fraction(0)
    return (blocks - full) / speed if speed else Fraction(max(level for level, _, _ in full_at))
