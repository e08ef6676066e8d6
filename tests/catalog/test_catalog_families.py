"""Configurations as they are found in the wild, family by family; each number can be checked by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from chainopt import catalog
from chainopt.catalog.families import FAMILIES

if TYPE_CHECKING:
    from pathlib import Path

# h = 8, a = 4, d = 2, L = 2, V = 10 throughout
GATED = {
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 16,
    "vocab_size": 10,
}
ATTENTION, MLP = 2 * 8 * 8 + 2 * 8 * 4, 3 * 8 * 16
LLAMA = ATTENTION + MLP + 16
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 4}
EXPERT = 3 * 8 * 4
BLOOM = {"model_type": "bloom", "hidden_size": 8, "n_layer": 2, "n_head": 4, "vocab_size": 10}
FALCON = {
    "model_type": "falcon",
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 10,
}
LATENT = {
    "model_type": "deepseek_v2",
    "hidden_size": 8,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 16,
    "kv_lora_rank": 5,
    "qk_nope_head_dim": 2,
    "qk_rope_head_dim": 1,
    "v_head_dim": 2,
    "vocab_size": 10,
}
LATENT_ATTENTION = 8 * 4 * 3 + 8 * (5 + 1) + 5 + 5 * 4 * (2 + 2) + 4 * 2 * 8


def block(values: dict[str, Any]) -> catalog.Block:
    model = catalog.parse_config(values)
    assert model.uniform
    return model.blocks[0]


def gated(family: str, **changes: Any) -> dict[str, Any]:
    return {"model_type": family, **GATED, **changes}


@pytest.mark.parametrize(
    ("values", "params", "kv"),
    [
        (gated("llama"), LLAMA, 8),
        (gated("llama", num_key_value_heads=None), LLAMA + 2 * 8 * 4, 16),
        (gated("llama", head_dim=3), 2 * 8 * 12 + 2 * 8 * 6 + MLP + 16, 12),
        (gated("llama", head_dim=None), LLAMA, 8),
        (gated("llama", attention_bias=True), LLAMA + 16 + 8, 8),
        (gated("llama", mlp_bias=True), LLAMA + 2 * 16 + 8, 8),
        (gated("llama", attention_bias=None, mlp_bias=None), LLAMA, 8),
        (gated("mistral", sliding_window=None), LLAMA, 8),
        (gated("phi3"), LLAMA, 8),
        (gated("qwen2"), LLAMA + 16, 8),
        (gated("qwen2", attention_bias=False), LLAMA + 16, 8),
        (gated("qwen3", head_dim=2), LLAMA + 4, 8),
        (gated("qwen3", head_dim=2, attention_bias=True), LLAMA + 4 + 16 + 8, 8),
        (gated("qwen3"), 2 * 8 * 512 + 2 * 8 * 256 + MLP + 16 + 256, 512),
        (gated("gemma", head_dim=2), LLAMA, 8),
        (gated("gemma2", head_dim=2), LLAMA + 16, 8),
        (
            gated("mixtral", num_local_experts=3, num_experts_per_tok=2),
            ATTENTION + 3 * MLP + 24 + 16,
            8,
        ),
        (gated("qwen3_moe", num_experts=3, **EXPERTS), ATTENTION + 4 + 3 * EXPERT + 24 + 16, 8),
        (
            gated("qwen2_moe", num_experts=3, shared_expert_intermediate_size=6, **EXPERTS),
            ATTENTION + 16 + 3 * EXPERT + 3 * 8 * 6 + 24 + 8 + 16,
            8,
        ),
        (
            gated("qwen2_moe", num_experts=3, shared_expert_intermediate_size=6, qkv_bias=False, **EXPERTS),
            ATTENTION + 3 * EXPERT + 3 * 8 * 6 + 24 + 8 + 16,
            8,
        ),
        (BLOOM, 12 * 64 + 13 * 8, 16),
        ({**BLOOM, "hidden_size": None, "n_embed": 8}, 12 * 64 + 13 * 8, 16),
        ({**BLOOM, "n_head": None, "num_attention_heads": 4}, 12 * 64 + 13 * 8, 16),
        ({**BLOOM, "n_layer": None, "num_hidden_layers": 2}, 12 * 64 + 13 * 8, 16),
        (gated("gpt_neox"), 4 * 64 + 2 * 8 * 16 + (24 + 8 + 16 + 8) + 32, 16),
        (gated("gpt_neox", attention_bias=False), 4 * 64 + 2 * 8 * 16 + (16 + 8) + 32, 16),
        (
            {"model_type": "gpt2", "n_embd": 8, "n_layer": 2, "n_head": 4, "n_positions": 5, "vocab_size": 10},
            12 * 64 + 13 * 8,
            16,
        ),
        (
            gated("opt", ffn_dim=32, max_position_embeddings=5),
            12 * 64 + 13 * 8,
            16,
        ),
        # Falcon-7B's kind: one key and value head, one LayerNorm
        (FALCON, 8 * 6 * 2 + 64 + 8 * 64 + 16, 4),
        # nulls where configuration classes write them
        ({**FALCON, "ffn_hidden_size": None, "num_kv_heads": None, "alibi": None}, 8 * 6 * 2 + 64 + 8 * 64 + 16, 4),
        # num_kv_heads means nothing to the old architecture
        ({**FALCON, "num_kv_heads": 4}, 8 * 6 * 2 + 64 + 8 * 64 + 16, 4),
        # Falcon-40B's kind: grouped heads, two LayerNorms
        ({**FALCON, "new_decoder_architecture": True, "num_kv_heads": 2}, 8 * 8 * 2 + 64 + 8 * 64 + 32, 8),
        ({**FALCON, "new_decoder_architecture": True}, 8 * 12 * 2 + 64 + 8 * 64 + 32, 16),
        # Falcon-11B's kind: grouped heads, one LayerNorm, its own MLP width
        (
            {
                **FALCON,
                "new_decoder_architecture": True,
                "num_kv_heads": 2,
                "num_ln_in_parallel_attn": 1,
                "ffn_hidden_size": 20,
            },
            8 * 8 * 2 + 64 + 2 * 8 * 20 + 16,
            8,
        ),
        # Falcon-RW-1B's kind: all heads, sequential, biases, alibi
        (
            {**FALCON, "multi_query": False, "parallel_attn": False, "bias": True, "alibi": True},
            12 * 64 + 13 * 8,
            16,
        ),
        ({**FALCON, "multi_query": False, "parallel_attn": True}, 12 * 64 + 16, 16),
        # the names of Falcon before it was in transformers
        (
            {"model_type": "RefinedWebModel", "hidden_size": 8, "n_layer": 2, "n_head": 4, "vocab_size": 10},
            8 * 6 * 2 + 64 + 8 * 64 + 16,
            4,
        ),
        (
            {
                "model_type": "RefinedWeb",
                "hidden_size": 8,
                "n_layer": 2,
                "n_head": 4,
                "n_head_kv": 2,
                "vocab_size": 10,
            },
            8 * 8 * 2 + 64 + 8 * 64 + 32,
            8,
        ),
        (LATENT, LATENT_ATTENTION + MLP + 16, 6),
        ({**LATENT, "q_lora_rank": None}, LATENT_ATTENTION + MLP + 16, 6),
        ({**LATENT, "q_lora_rank": 7}, LATENT_ATTENTION - 8 * 12 + 8 * 7 + 7 + 7 * 12 + MLP + 16, 6),
        ({**LATENT, "attention_bias": True}, LATENT_ATTENTION + 6 + 8 + MLP + 16, 6),
    ],
)
def test_block_by_hand(values: dict[str, Any], params: int, kv: int) -> None:
    """Parameters and cache of a block of width 8, from the formulas."""
    assert (block(values).params, block(values).kv_elements) == (params, kv)


def test_every_family_is_tested() -> None:
    """Each family has a model in the table or a configuration above."""
    tested = {model.family for model in catalog.models()} | {"RefinedWeb", "RefinedWebModel"}
    assert tested == set(FAMILIES)


def test_mixture_of_dense_and_sparse_blocks() -> None:
    """decoder_sparse_step and mlp_only_layers say which blocks have experts."""
    values = gated("qwen3_moe", num_experts=3, num_hidden_layers=4, head_dim=2, **EXPERTS)
    dense, sparse = LLAMA + 4, ATTENTION + 4 + 3 * EXPERT + 24 + 16
    stepped = catalog.parse_config({**values, "decoder_sparse_step": 2})
    assert stepped.block_params == (dense, sparse, dense, sparse)
    listed = catalog.parse_config({**values, "mlp_only_layers": [0, 3]})
    assert listed.block_params == (dense, sparse, sparse, dense)
    assert not listed.uniform
    assert listed.largest_block_params == max(dense, sparse)


@pytest.mark.parametrize(
    ("changes", "sparse"),
    [
        ({"first_k_dense_replace": 1}, [1, 2, 3]),
        ({"first_k_dense_replace": 0, "moe_layer_freq": 2}, [0, 2]),
        ({"first_k_dense_replace": 4}, []),
        ({}, [0, 1, 2, 3]),
    ],
)
def test_deepseek_dense_first(changes: dict[str, Any], sparse: list[int]) -> None:
    """first_k_dense_replace and moe_layer_freq say which blocks have experts."""
    experts = {"n_routed_experts": 4, "n_shared_experts": 1, **EXPERTS}
    model = catalog.parse_config({**LATENT, **experts, **changes})
    dense_params = LATENT_ATTENTION + MLP + 16
    sparse_params = LATENT_ATTENTION + 5 * EXPERT + 32 + 16
    assert model.block_params == tuple(sparse_params if i in sparse else dense_params for i in range(4))
    for i in sparse:
        assert model.active_params[i] == sparse_params - 2 * EXPERT


@pytest.mark.parametrize("changes", [{"model_type": "deepseek_v3"}, {"topk_method": "noaux_tc"}])
def test_deepseek_v3_router_has_a_correction(changes: dict[str, Any]) -> None:
    """V3's router has a bias for each expert."""
    experts = {"n_routed_experts": 4, "n_shared_experts": None, **EXPERTS}
    plain = catalog.parse_config({**LATENT, **experts})
    assert block({**LATENT, **experts, **changes}).params == plain.block_params[0] + 4


def test_latent_attention_expanded() -> None:
    """Engines that cache keys and values instead of the latent need a (d_n + d_r) + a d_v numbers."""
    model = catalog.parse_config(LATENT)
    assert catalog.cache_gb(model, 1).scaleb(9) == 2 * 6
    assert catalog.cache_gb(model, 1, latent=False).scaleb(9) == 2 * (4 * 3 + 4 * 2)


@pytest.mark.parametrize(
    ("values", "windows"),
    [
        (gated("mistral", sliding_window=5), [5, 5]),
        (gated("mistral"), [None, None]),
        (gated("mixtral", sliding_window=5, num_local_experts=2, num_experts_per_tok=1), [5, 5]),
        (gated("llama", sliding_window=5), [None, None]),
        (gated("gemma2", sliding_window=5, num_hidden_layers=3), [5, None, 5]),
        (gated("qwen2", sliding_window=5, use_sliding_window=False, max_window_layers=0), [None, None]),
        (gated("qwen2", sliding_window=5, use_sliding_window=True, max_window_layers=1), [None, 5]),
        (gated("qwen3", sliding_window=5, use_sliding_window=True), [None, None]),
        (gated("gemma2", sliding_window=5, layer_types=["full_attention", "sliding_attention"]), [None, 5]),
    ],
)
def test_sliding_windows(values: dict[str, Any], windows: list[int | None]) -> None:
    """Which blocks look back on a window only; the cache then stops growing there, unless the engine keeps all."""
    model = catalog.parse_config(values)
    assert [block.window for block in model.blocks] == windows
    for block_, size in zip(model.blocks, catalog.cache_sizes_gb(model, 9), strict=True):
        assert size.scaleb(9) == 2 * block_.kv_elements * min(9, block_.window or 9)
    assert len(set(catalog.cache_sizes_gb(model, 9, sliding=False))) == 1


def test_text_config_wrapper() -> None:
    """Multimodal models nest the language model; what holds for the whole stays outside."""
    inner = {key: value for key, value in gated("llama").items() if key != "model_type"}
    outer = {
        "model_type": "llama",
        "torch_dtype": "float16",
        "hidden_size": 999,
        "tie_word_embeddings": True,
        "text_config": {**inner, "torch_dtype": None},
        "vision_config": {"hidden_size": 4},
    }
    model = catalog.parse_config(outer)
    assert model.block_params == (LLAMA, LLAMA)
    assert model.precision.name == "fp16"
    assert model.layout.tied_params == 80
    typed = {"model_type": "mistral3", "text_config": {**inner, "model_type": "mistral"}}
    assert catalog.parse_config(typed).family == "mistral"


def test_opt_with_narrow_embedding() -> None:
    """OPT-350M's embedding is narrower than its blocks, and it has no final norm."""
    values = gated("opt", ffn_dim=32, max_position_embeddings=5, word_embed_proj_dim=4, do_layer_norm_before=False)
    layout = catalog.parse_config(values).layout
    assert layout.first_params == 10 * 4 + 7 * 8 + 4 * 8
    assert (layout.last_params, layout.tied_params) == (4 * 8, 40)


def test_reading_a_file_and_a_folder(tmp_path: Path) -> None:
    """A config.json is read by its path or by its folder, which then names the model."""
    folder = tmp_path / "my-model"
    folder.mkdir()
    file = folder / "config.json"
    file.write_text(json.dumps(gated("llama")))
    for source in (file, folder, str(folder)):
        model = catalog.read_config(source)
        assert (model.name, model.block_params) == ("my-model", (LLAMA, LLAMA))
    assert catalog.read_config(file, "nf4").precision.name == "nf4"


def test_name_in_the_file(tmp_path: Path) -> None:
    """A name in the file wins over the file's own."""
    file = tmp_path / "llama-small.json"
    file.write_text(json.dumps(gated("llama", _name_or_path="org/small")))
    assert catalog.read_config(file).name == "org/small"
    file.write_text(json.dumps(gated("llama")))
    assert catalog.read_config(file).name == "llama-small"
