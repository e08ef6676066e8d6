"""Families of models: what each makes of a ``config.json``. A new family is one function and one line here.

The symbols in the docstrings are: h hidden_size, L num_hidden_layers, a num_attention_heads, k num_key_value_heads,
d head_dim (given, or h / a), f intermediate_size, V vocab_size, E experts, P positions. "Block" is the number of
parameters of one block, "KV" the numbers that it caches for each token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt.catalog.families import classic, experts, gated, latent

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainopt.catalog.blocks import Layout
    from chainopt.catalog.config import Config

FAMILIES: dict[str, Callable[[Config], Layout]] = {
    "llama": gated.llama,
    "mistral": gated.mistral,
    "qwen2": gated.qwen2,
    "qwen3": gated.qwen3,
    "gemma": gated.gemma,
    "gemma2": gated.gemma2,
    "phi3": gated.mistral,
    "mixtral": experts.mixtral,
    "qwen2_moe": experts.qwen2_moe,
    "qwen3_moe": experts.qwen3_moe,
    "deepseek_v2": latent.deepseek,
    "deepseek_v3": latent.deepseek,
    "gpt_neox": classic.gpt_neox,
    "bloom": classic.bloom,
    "gpt2": classic.gpt2,
    "opt": classic.opt,
    "falcon": classic.falcon,
    "RefinedWeb": classic.falcon,
    "RefinedWebModel": classic.falcon,
}
"""By ``model_type``."""
