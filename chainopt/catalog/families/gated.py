"""Llama and its relatives: RMSNorm, grouped-query attention, gated MLP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt.catalog.blocks import Block, Layout
from chainopt.catalog.families.common import gated_mlp, heads, layout, number_of_blocks, windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainopt.catalog.config import Config


def attention_params(h: int, a: int, k: int, d: int) -> int:
    """2 h a d + 2 h k d: query and output, key and value."""
    return 2 * h * a * d + 2 * h * k * d


def _gated(
    config: Config,
    *,
    extra: int = 0,
    slides: Sequence[bool] | None = None,
    norms: int = 2,
    tied: bool = False,
    head_dim: int | None = None,
) -> Layout:
    """Block = 2 h a d + 2 h k d + 3 h f + norms h + extra; KV = 2 k d."""
    h, f = config.size("hidden_size"), config.size("intermediate_size")
    a, k, d = heads(config, head_dim)
    params = attention_params(h, a, k, d) + gated_mlp(h, f) + norms * h + extra
    blocks = number_of_blocks(config)
    return layout(
        config,
        [Block(params, 2 * k * d, 2 * a * d, window) for window in windows(config, slides or [False] * blocks)],
        norm=h,
        tied=tied,
    )


def llama(config: Config) -> Layout:
    """Block = 2 h a d + 2 h k d + 3 h f + 2 h; + (a + 2 k) d + h if attention_bias; + 2 f + h if mlp_bias."""
    h, f = config.size("hidden_size"), config.size("intermediate_size")
    a, k, d = heads(config)
    attention_bias = (a + 2 * k) * d + h if config.flag("attention_bias", False) else 0
    mlp_bias = 2 * f + h if config.flag("mlp_bias", False) else 0
    return _gated(config, extra=attention_bias + mlp_bias)


def mistral(config: Config) -> Layout:
    """Block as of llama without biases; all blocks have the window, if there is one."""
    return _gated(config, slides=[True] * number_of_blocks(config))


def qwen2(config: Config) -> Layout:
    """Block = llama + (a + 2 k) d: query, key and value always have biases."""
    a, k, d = heads(config)
    return _gated(config, extra=(a + 2 * k) * d, slides=qwen_slides(config))


def qwen3(config: Config) -> Layout:
    """Block = llama + 2 d: norms of query and key; + (a + 2 k) d + h if attention_bias; d is 128 by default."""
    h = config.size("hidden_size")
    a, k, d = heads(config, 128)
    bias = (a + 2 * k) * d + h if config.flag("attention_bias", False) else 0
    return _gated(config, extra=2 * d + bias, slides=qwen_slides(config), head_dim=128)


def gemma(config: Config) -> Layout:
    """Block as of llama; the output matrix is tied; d is 256 by default."""
    return _gated(config, tied=True, head_dim=256)


def gemma2(config: Config) -> Layout:
    """Block = llama + 2 h: four norms; blocks 0, 2, 4, ... have a window; tied; d is 256 by default."""
    alternate = [i % 2 == 0 for i in range(number_of_blocks(config))]
    return _gated(config, norms=4, slides=alternate, tied=True, head_dim=256)


def qwen_slides(config: Config) -> list[bool]:
    """With use_sliding_window, the blocks from max_window_layers on have a window."""
    blocks = number_of_blocks(config)
    if not config.flag("use_sliding_window", False):
        return [False] * blocks
    first = config.size("max_window_layers", default=blocks, least=0)
    return [i >= first for i in range(blocks)]
