"""How vLLM and SGLang cut a model into pipeline stages, as their sources say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def given_stages(partition: str, stages: int, blocks: int) -> list[tuple[int, int]]:
    """Stages of a list of block counts such as ``"5,7"``, first block and end of each.

    VLLM_PP_LAYER_PARTITION and SGLANG_PP_LAYER_PARTITION alike: `get_pp_indices` in vllm/distributed/utils.py and in
    sglang/srt/distributed/utils.py.

    Raises
    ------
    ValueError
        If they are not whole numbers, not one for each stage, or do not add up to the blocks.
    """
    counts = [int(count) for count in partition.split(",")]
    if len(counts) != stages:
        raise ValueError(f"{len(counts)} counts for {stages} stages")
    if sum(counts) != blocks:
        raise ValueError(f"counts add up to {sum(counts)} of {blocks} blocks")
    return ranges(counts)


def vllm_stages(stages: int, blocks: int) -> list[tuple[int, int]]:
    """Stages that vLLM cuts without a list: the remainder goes one each to stages before the last, from the back."""
    counts = [blocks // stages] * stages
    for i in range(2, blocks % stages + 2):
        counts[-i] += 1
    return ranges(counts)


def sglang_stages(stages: int, blocks: int) -> list[tuple[int, int]]:
    """Stages that SGLang cuts without a list: the last ones get one more."""
    each, remainder = divmod(blocks, stages)
    return ranges([each + (i >= stages - remainder) for i in range(stages)])


def ranges(counts: Sequence[int]) -> list[tuple[int, int]]:
    """First block and end of each of these runs of blocks."""
    found, start = [], 0
    for count in counts:
        found.append((start, start + count))
        start += count
    return found
