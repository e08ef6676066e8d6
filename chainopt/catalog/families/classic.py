"""The generation before Llama: LayerNorm, biases, MLP of two matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt.catalog.blocks import Block, Layout
from chainopt.catalog.families.common import classic_block, layout, number_of_blocks

if TYPE_CHECKING:
    from chainopt.catalog.config import Config


def gpt_neox(config: Config) -> Layout:
    """Block = 4 h^2 + 2 h f + (3 h + h + f + h) + 4 h; less 4 h without attention_bias; KV = 2 h."""
    h, f = config.size("hidden_size"), config.size("intermediate_size")
    config.quotient(h, config.size("num_attention_heads"), "hidden_size divisible by num_attention_heads")
    bias = config.flag("attention_bias", True)
    block = Block(classic_block(h, f) - (0 if bias else 4 * h), 2 * h, 2 * h)
    return layout(config, [block] * number_of_blocks(config), norm=2 * h, tied=False)


def bloom(config: Config) -> Layout:
    """Block = 12 h^2 + 13 h, as f = 4 h; KV = 2 h; a LayerNorm of 2 h after the embedding."""
    h = config.size("hidden_size", "n_embed")
    a = config.size("n_head", "num_attention_heads")
    config.quotient(h, a, "hidden_size divisible by n_head")
    block = Block(classic_block(h, 4 * h), 2 * h, 2 * h)
    blocks = number_of_blocks(config, "n_layer", "num_hidden_layers")
    return layout(config, [block] * blocks, norm=2 * h, tied=True, extra=2 * h)


def gpt2(config: Config) -> Layout:
    """Block = 4 h^2 + 2 h f + 9 h + f, f = 4 h by default; KV = 2 h; P h learned positions."""
    h = config.size("n_embd", "hidden_size")
    a = config.size("n_head", "num_attention_heads")
    config.quotient(h, a, "n_embd divisible by n_head")
    f = config.size("n_inner", default=4 * h)
    positions = config.size("n_positions", "max_position_embeddings") * h
    block = Block(classic_block(h, f), 2 * h, 2 * h)
    blocks = number_of_blocks(config, "n_layer", "num_hidden_layers")
    return layout(config, [block] * blocks, norm=2 * h, tied=True, extra=positions)


def opt(config: Config) -> Layout:
    """Block as of gpt2 with f = ffn_dim; (P + 2) h learned positions; embedding width w may differ from h.

    With w != h there are two more matrices w h, one before the first block and one after the last.
    """
    h, f = config.size("hidden_size"), config.size("ffn_dim")
    config.quotient(h, config.size("num_attention_heads"), "hidden_size divisible by num_attention_heads")
    if not config.flag("enable_bias", True) or not config.flag("layer_norm_elementwise_affine", True):
        raise config.error("enable_bias", "OPT without biases or without LayerNorm parameters is not supported")
    block = Block(classic_block(h, f), 2 * h, 2 * h)
    w = config.size("word_embed_proj_dim", default=h)
    projection = w * h if w != h else 0
    embedding = config.size("vocab_size") * w
    final_norm = 2 * h if config.flag("do_layer_norm_before", True) else 0
    tied = config.flag("tie_word_embeddings", True)
    return Layout(
        blocks=(block,) * number_of_blocks(config),
        first_params=embedding + (config.size("max_position_embeddings") + 2) * h + projection,
        last_params=final_norm + projection + (0 if tied else embedding),
        tied_params=embedding if tied else 0,
    )


def falcon(config: Config) -> Layout:
    """Block = h (a + 2 k) d + h a d + 2 h f + norms + biases, f = 4 h by default; KV = 2 k d.

    k is num_kv_heads with new_decoder_architecture, else 1 with multi_query, else a.
    norms: 4 h with new_decoder_architecture (2 h if num_ln_in_parallel_attn is 1), else 2 h, and 2 h more unless
    parallel_attn. biases: (a + 2 k) d + h + f + h if bias. Alibi has no parameters.
    """
    h = config.size("hidden_size", "n_embed")
    a = config.size("num_attention_heads", "n_head")
    d = config.quotient(h, a, "hidden_size divisible by num_attention_heads")
    f = config.size("ffn_hidden_size", default=4 * h)
    grouped = config.flag("new_decoder_architecture", config.text("model_type") == "RefinedWeb")
    parallel = config.flag("parallel_attn", True)
    if grouped:
        k = config.size("num_kv_heads", "n_head_kv", default=a)
        config.quotient(a, k, "num_attention_heads divisible by num_kv_heads")
    else:
        k = 1 if config.flag("multi_query", True) else a

    norms = config.size("num_ln_in_parallel_attn", default=2 if grouped else 1)
    if norms > 2:
        raise config.error("num_ln_in_parallel_attn", f"expected 1 or 2, got {norms}")
    norms = norms if parallel else 2
    params = h * (a + 2 * k) * d + h * a * d + 2 * h * f + norms * 2 * h
    if config.flag("bias", False):
        params += (a + 2 * k) * d + h + f + h
    block = Block(params, 2 * k * d, 2 * a * d)
    blocks = number_of_blocks(config, "num_hidden_layers", "n_layer")
    return layout(config, [block] * blocks, norm=2 * h, tied=True)
