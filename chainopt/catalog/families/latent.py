"""DeepSeek: multi-head latent attention (MLA), dense blocks first, then experts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt.catalog.blocks import Block, Layout
from chainopt.catalog.families.common import gated_mlp, layout, number_of_blocks
from chainopt.catalog.families.experts import routing

if TYPE_CHECKING:
    from chainopt.catalog.config import Config


def deepseek(config: Config) -> Layout:
    """Dense block = A + 3 h f + 2 h; with experts A + (E + E_shared) 3 h f_moe + h E + 2 h, + E for noaux_tc.

    A = Q + h (r + d_r) + r + r a (d_n + d_v) + a d_v h, where r = kv_lora_rank, d_n = qk_nope_head_dim,
    d_r = qk_rope_head_dim, d_v = v_head_dim, and with q = q_lora_rank, Q = h q + q + q a (d_n + d_r), or
    h a (d_n + d_r) without. KV = r + d_r, the latent; engines that expand it cache a (d_n + d_r) + a d_v.

    Blocks before first_k_dense_replace, and those whose number moe_layer_freq does not divide, are dense. Layers
    for multi-token prediction are not counted, as in the published totals.
    """
    h, a = config.size("hidden_size"), config.size("num_attention_heads")
    r = config.size("kv_lora_rank")
    d_n, d_r = config.size("qk_nope_head_dim"), config.size("qk_rope_head_dim")
    d_v = config.size("v_head_dim")
    q = config.optional_size("q_lora_rank")
    query = h * q + q + q * a * (d_n + d_r) if q else h * a * (d_n + d_r)
    attention = query + h * (r + d_r) + r + r * a * (d_n + d_v) + a * d_v * h
    if config.flag("attention_bias", False):
        attention += (q or 0) + (r + d_r) + h
    dense = attention + gated_mlp(h, config.size("intermediate_size")) + 2 * h

    kv, expanded, score = r + d_r, a * (d_n + d_r) + a * d_v, a * (d_n + d_r + d_v)
    dense_block = Block(dense, kv, score, expanded_kv_elements=expanded)
    blocks = number_of_blocks(config)
    first = config.size("first_k_dense_replace", default=0, least=0)
    every = config.size("moe_layer_freq", default=1)
    if config.get("n_routed_experts")[1] is None:
        return layout(config, [dense_block] * blocks, norm=h, tied=False)

    experts, top_k = routing(config, "n_routed_experts")
    expert = gated_mlp(h, config.size("moe_intermediate_size"))
    shared = config.size("n_shared_experts", default=0, least=0)
    # transformers' deepseek_v3 has the correction bias whatever the file says; deepseek_v2's files name the method
    corrected = config.text("topk_method") == "noaux_tc" or config.text("model_type") == "deepseek_v3"
    router = h * experts + (experts if corrected else 0)
    sparse_block = Block(
        attention + (experts + shared) * expert + router + 2 * h,
        kv,
        score,
        expanded_kv_elements=expanded,
        experts=experts,
        top_k=top_k,
        expert_params=expert,
    )
    mixed = [sparse_block if i >= first and i % every == 0 else dense_block for i in range(blocks)]
    return layout(config, mixed, norm=h, tied=False)
