"""What the catalogue knows of a model's blocks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """One transformer block.

    Attributes
    ----------
    params
        Parameters, of all experts.
    kv_elements
        Numbers cached for each token.
    score_width
        a (d_k + d_v): attention takes 2 a (d_k + d_v) FLOP for each token and each token of its context.
    window
        Most tokens that attention looks back on and the cache holds; ``None`` if all.
    expanded_kv_elements
        Numbers cached for each token by engines that cache keys and values rather than what they are made from;
        other than `kv_elements` for multi-head latent attention only.
    experts, top_k, expert_params
        Routed experts, how many of them a token uses, and the parameters of each; 0 without experts.
    """

    params: int
    kv_elements: int
    score_width: int
    window: int | None = None
    expanded_kv_elements: int | None = None
    experts: int = 0
    top_k: int = 0
    expert_params: int = 0

    @property
    def active_params(self) -> int:
        """Parameters that one token uses: all but the experts it is not routed to."""
        return self.params - (self.experts - self.top_k) * self.expert_params


@dataclass(frozen=True)
class Layout:
    """A model's blocks, and the parameters around them.

    Attributes
    ----------
    first_params
        Before the first block: embeddings.
    last_params
        After the last block: final norm, and the output matrix unless it is tied.
    tied_params
        The input embedding that serves as output matrix too; 0 if not tied. A server of the last block that does
        not host the first one needs a second copy.
    """

    blocks: tuple[Block, ...]
    first_params: int
    last_params: int
    tied_params: int = 0
