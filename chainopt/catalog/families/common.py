"""Quantities that many families share. Symbols: see :mod:`chainopt.catalog.families`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt.catalog.blocks import Block, Layout
from chainopt.model.record import MOST_BLOCKS, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainopt.catalog.config import Config


def number_of_blocks(config: Config, *keys: str) -> int:
    """L."""
    names = keys or ("num_hidden_layers",)
    blocks = config.size(*names)
    if blocks > MOST_BLOCKS:
        raise config.error(config.get(*names)[0], f"expected at most {MOST_BLOCKS} blocks, got {blocks}")
    return blocks


def heads(config: Config, default: int | None = None) -> tuple[int, int, int]:
    """a, k and d; where the file does not say, k is a, and d is the family's default or else h / a."""
    a = config.size("num_attention_heads")
    k = config.size("num_key_value_heads", default=a)
    config.quotient(a, k, "num_attention_heads divisible by num_key_value_heads")
    d = config.optional_size("head_dim") or default
    if d is None:
        h = config.size("hidden_size")
        d = config.quotient(h, a, "hidden_size divisible by num_attention_heads")
    return a, k, d


def gated_mlp(h: int, f: int) -> int:
    """3 h f: gate, up and down."""
    return 3 * h * f


def classic_block(h: int, f: int) -> int:
    """Block of GPT-2's kind, with biases: (4 h^2 + 4 h) + (2 h f + f + h) + 2 LayerNorms of 2 h."""
    attention = 4 * h * h + 4 * h
    mlp = 2 * h * f + f + h
    return attention + mlp + 4 * h


def windows(config: Config, slides: Sequence[bool]) -> list[int | None]:
    """Each block's sliding window, or ``None``.

    Parameters
    ----------
    slides
        Whether each block has a window, where the file has no ``layer_types``.
    """
    window = config.optional_size("sliding_window")
    key, kinds = config.get("layer_types")
    if kinds is not None:
        if not isinstance(kinds, list) or len(kinds) != len(slides):
            raise config.error(key, f"expected an array of {len(slides)} names, one for each block")
        known = {"full_attention": False, "sliding_attention": True}
        for i, kind in enumerate(kinds):
            if not isinstance(kind, str) or kind not in known:
                raise config.error(f"{key}[{i}]", f"expected one of {', '.join(known)}, got {shown(kind)}")
        slides = [known[kind] for kind in kinds]
    return [window if slide else None for slide in slides]


def layout(config: Config, blocks: Sequence[Block], *, norm: int, tied: bool, extra: int = 0) -> Layout:
    """A model with embedding V h, final norm, and output matrix V h unless it is tied.

    Parameters
    ----------
    norm
        Parameters of the final norm.
    tied
        Whether the output matrix is tied where the file does not say.
    extra
        Parameters before the first block besides the embedding.
    """
    embedding = config.size("vocab_size") * config.size("hidden_size", "n_embed", "n_embd")
    tied = config.flag("tie_word_embeddings", tied)
    return Layout(
        blocks=tuple(blocks),
        first_params=embedding + extra,
        last_params=norm + (0 if tied else embedding),
        tied_params=embedding if tied else 0,
    )
