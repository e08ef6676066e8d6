"""Even split: every server of a pipeline hosts as many blocks as the others, what vLLM and SGLang do by default."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt.errors import InfeasibleError
from chainopt.placement.pipelines import placed, replicas, replicated_candidates

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chainopt.model.instance import Instance
    from chainopt.model.placement import Placement
    from chainopt.protocols import Candidate, PlacementOptions


def split_before_last(blocks: int, stages: int) -> list[int]:
    """L over S stages evenly; what is left goes one by one to the stages before the last, from the back.

    So the first and the last stage, which have the embeddings and the head too, are spared.

    References
    ----------
    vllm-project/vllm, vllm/distributed/utils.py, get_pp_indices.
    """
    each, left = divmod(blocks, stages)
    return [each + (stages - 1 - left <= i < stages - 1) for i in range(stages)]


def split_at_last(blocks: int, stages: int) -> list[int]:
    """L over S stages evenly; what is left goes one by one to the last stages.

    References
    ----------
    sgl-project/sglang, python/sglang/srt/distributed/utils.py, get_pp_indices.
    """
    each, left = divmod(blocks, stages)
    return [each + (i >= stages - left) for i in range(stages)]


def even_split(instance: Instance, stages: int, *, spare_last: bool = True, cache_reservation: int = 1) -> Placement:
    """Pipelines of so many servers, each split evenly, as many as there are; like servers with like.

    Servers are taken by decreasing memory. A pipeline with a server that does not have the memory for its blocks and
    `cache_reservation` jobs cannot be started; its servers stay empty, as do those that are left over.

    Parameters
    ----------
    stages
        S, what ``--pipeline-parallel-size`` says, from 1 to L.
    spare_last
        Where the remainder of L / S goes: vLLM spares the last stage, SGLang does not.

    Raises
    ------
    InfeasibleError
        If no pipeline can be started.
    ValueError
        If the number of stages is not from 1 to L.
    """
    if not 1 <= stages <= instance.service.blocks:
        raise ValueError(f"expected 1 to {instance.service.blocks} stages, got {stages}")
    split = _before_last if spare_last else _at_last
    pipelines, _ = replicas(instance, stages, split, cache_reservation)
    if not pipelines:
        raise InfeasibleError(
            f"no {stages} servers without a pin, by decreasing memory, have room for an even split of the "
            f"{instance.service.blocks} blocks and {cache_reservation} jobs"
        )
    return placed(instance, pipelines)


def even_split_candidates(instance: Instance, options: PlacementOptions) -> Iterator[Candidate]:
    """Pipelines of every length, with either remainder."""
    yield from replicated_candidates(instance, options, _before_last, _at_last)


def _before_last(instance: Instance, servers: Sequence[int]) -> list[int]:
    return split_before_last(instance.service.blocks, len(servers))


def _at_last(instance: Instance, servers: Sequence[int]) -> list[int]:
    return split_at_last(instance.service.blocks, len(servers))
