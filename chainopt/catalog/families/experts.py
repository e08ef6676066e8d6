"""Mixtures of experts with grouped-query attention."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt.catalog.blocks import Block, Layout
from chainopt.catalog.families.common import gated_mlp, heads, layout, number_of_blocks, windows
from chainopt.catalog.families.gated import attention_params, qwen_slides

if TYPE_CHECKING:
    from chainopt.catalog.config import Config


def routing(config: Config, *keys: str) -> tuple[int, int]:
    """E under one of the keys, and num_experts_per_tok, at most E."""
    experts = config.size(*keys)
    top_k = config.size("num_experts_per_tok")
    if top_k > experts:
        raise config.error("num_experts_per_tok", f"expected at most {keys[0]} = {experts}, got {top_k}")
    return experts, top_k


def mixtral(config: Config) -> Layout:
    """Block = 2 h a d + 2 h k d + E 3 h f + h E + 2 h; KV = 2 k d."""
    h, f = config.size("hidden_size"), config.size("intermediate_size")
    a, k, d = heads(config)
    experts, top_k = routing(config, "num_local_experts")
    expert = gated_mlp(h, f)
    params = attention_params(h, a, k, d) + experts * expert + h * experts + 2 * h
    slides = [True] * number_of_blocks(config)
    return layout(
        config,
        [
            Block(params, 2 * k * d, 2 * a * d, window, experts=experts, top_k=top_k, expert_params=expert)
            for window in windows(config, slides)
        ],
        norm=h,
        tied=False,
    )


def qwen2_moe(config: Config) -> Layout:
    """Block = 2 h a d + 2 h k d + (a + 2 k) d + E 3 h f_moe + 3 h f_shared + h E + h + 2 h.

    The query, key and value have biases; every token uses the shared expert, through a gate of h parameters.
    """
    h, f_shared = config.size("hidden_size"), config.size("shared_expert_intermediate_size")
    a, k, d = heads(config)
    bias = (a + 2 * k) * d if config.flag("qkv_bias", True) else 0
    return _qwen_moe(config, extra=bias, shared=gated_mlp(h, f_shared) + h)


def qwen3_moe(config: Config) -> Layout:
    """Block = 2 h a d + 2 h k d + 2 d + E 3 h f_moe + h E + 2 h; + (a + 2 k) d + h if attention_bias."""
    h = config.size("hidden_size")
    a, k, d = heads(config)
    bias = (a + 2 * k) * d + h if config.flag("attention_bias", False) else 0
    return _qwen_moe(config, extra=2 * d + bias, shared=0)


def _qwen_moe(config: Config, *, extra: int, shared: int) -> Layout:
    """Block i has experts if decoder_sparse_step divides i + 1 and i is not in mlp_only_layers; else 3 h f."""
    h = config.size("hidden_size")
    a, k, d = heads(config)
    blocks = number_of_blocks(config)
    dense_blocks = config.indices("mlp_only_layers", below=blocks)
    step = config.size("decoder_sparse_step", default=1)
    sparse = [(i + 1) % step == 0 and i not in dense_blocks for i in range(blocks)]
    experts, top_k = routing(config, "num_experts")
    expert = gated_mlp(h, config.size("moe_intermediate_size"))
    common = attention_params(h, a, k, d) + extra + 2 * h
    kv, score = 2 * k * d, 2 * a * d

    def block(i: int, window: int | None) -> Block:
        if not sparse[i]:
            return Block(common + gated_mlp(h, config.size("intermediate_size")), kv, score, window)
        params = common + experts * expert + h * experts + shared
        return Block(params, kv, score, window, experts=experts, top_k=top_k, expert_params=expert)

    every = windows(config, qwen_slides(config))
    return layout(config, [block(i, window) for i, window in enumerate(every)], norm=h, tied=False)
