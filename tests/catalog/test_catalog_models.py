"""Sizes of the blocks of known models."""

from __future__ import annotations

from decimal import Decimal

import pytest

from chainopt import catalog
from chainopt.errors import FormatError

D = Decimal
# params of a block, bf16 GB, NF4 GB, bytes of cache a token a block, s_c at 2048 tokens, params of the model
UNIFORM = {
    "Llama-2-7B": (32, 202_383_360, ".4048", ".1086", 16384, ".03355", 6_738_415_616),
    "Llama-2-70B": (80, 855_654_400, "1.7113", ".4591", 4096, ".00839", 68_976_648_192),
    "Llama-3.1-8B": (32, 218_112_000, ".4362", ".1170", 4096, ".00839", 8_030_261_248),
    "Llama-3.1-70B": (80, 855_654_400, "1.7113", ".4591", 4096, ".00839", 70_553_706_496),
    "Mistral-7B-v0.1": (32, 218_112_000, ".4362", ".1170", 4096, ".00839", 7_241_732_096),
    "Qwen2.5-7B": (28, 233_057_792, ".4661", ".1251", 2048, ".00419", 7_615_616_512),
    "Qwen2.5-72B": (80, 877_684_736, "1.7554", ".4709", 4096, ".00839", 72_706_203_648),
    "Qwen3-8B": (36, 192_946_432, ".3859", ".1035", 4096, ".00839", 8_190_735_360),
    "Qwen3-32B": (64, 487_598_336, ".9752", ".2616", 4096, ".00839", 32_762_123_264),
    "Qwen3-30B-A3B": (48, 623_120_640, "1.2462", ".3343", 2048, ".00419", 30_532_122_624),
    "Qwen3-235B-A22B": (94, 2_487_755_008, "4.9755", "1.3348", 2048, ".00419", 235_093_634_560),
    "Mixtral-8x7B": (32, 1_451_270_144, "2.9025", ".7787", 4096, ".00839", 46_702_792_704),
    "GPT-NeoX-20B": (44, 453_064_704, ".9061", ".2431", 24576, ".05033", 20_554_567_680),
    "BLOOM-176B": (70, 2_466_437_120, "4.9329", "1.3234", 57344, ".11744", 176_247_271_424),
    "Falcon-7B": (32, 207_070_080, ".4141", ".1111", 256, ".00052", 6_921_720_704),
    "Falcon-40B": (60, 679_510_016, "1.3590", ".3646", 2048, ".00419", 41_303_293_952),
    "Falcon-180B": (80, 2_219_894_784, "4.4398", "1.1911", 2048, ".00419", 179_522_565_120),
}
# number of dense blocks, their params, number of blocks with experts, their params, params of the model
DENSE_FIRST = {
    "DeepSeek-V3": (3, 583_483_392, 58, 11_507_286_272, 671_026_419_200),
    "DeepSeek-V2-Lite": (1, 81_007_104, 26, 584_847_872, 15_706_484_224),
}


def places(number: Decimal, like: str) -> Decimal:
    return number.quantize(Decimal(like))


@pytest.mark.parametrize("name", UNIFORM)
def test_uniform_models(name: str) -> None:
    """Every number of the table of models whose blocks are equal, to the last digit."""
    blocks, params, bf16, nf4, kv_bytes, cache, total = UNIFORM[name]
    model = catalog.model(name)
    assert model.uniform
    assert model.block_params == (params,) * blocks
    assert model.total_params == total
    assert places(catalog.block_gb(model, "bf16"), bf16) == D(bf16)
    assert places(catalog.block_gb(model, "nf4"), nf4) == D(nf4)
    assert {2 * elements for elements in model.kv_elements} == {kv_bytes}
    assert places(catalog.cache_gb(model, 2048), cache) == D(cache)


@pytest.mark.parametrize("name", DENSE_FIRST)
def test_models_with_dense_blocks_first(name: str) -> None:
    """DeepSeek's blocks differ: every one is known, and the largest stands for all where one size is needed."""
    dense, dense_params, sparse, sparse_params, total = DENSE_FIRST[name]
    model = catalog.model(name)
    assert not model.uniform
    assert model.block_params == (dense_params,) * dense + (sparse_params,) * sparse
    assert model.total_params == total
    assert catalog.block_gb(model, "bf16") == D(2 * sparse_params).scaleb(-9)
    assert catalog.blocks_gb(model, "bf16") == D(2 * sum(model.block_params)).scaleb(-9)
    assert sum(catalog.block_sizes_gb(model, "bf16")) == catalog.blocks_gb(model, "bf16")
    assert set(model.kv_elements) == {576}
    assert places(catalog.cache_gb(model, 2048), ".00001") == D(".00236")


def test_sizes_of_dense_and_sparse_blocks() -> None:
    """The sizes in GB of the four kinds of DeepSeek blocks, in three number formats."""
    v3, lite = catalog.model("DeepSeek-V3"), catalog.model("DeepSeek-V2-Lite")
    ends = {
        weights: [places(catalog.block_sizes_gb(model, weights)[i], ".0001") for model in (v3, lite) for i in (0, -1)]
        for weights in ("bf16", "nf4")
    }
    assert ends["bf16"] == [D("1.1670"), D("23.0146"), D(".1620"), D("1.1697")]
    assert ends["nf4"] == [D(".3131"), D("6.1744"), D(".0435"), D(".3138")]
    assert v3.precision.name == "fp8"
    assert places(catalog.block_gb(v3), ".1") == D("11.5")


@pytest.mark.parametrize("model", catalog.models(), ids=lambda model: model.name)
def test_totals_are_the_published_ones(model: catalog.Model) -> None:
    """Blocks and what is around them add up to the published number of parameters, exactly."""
    if model.confidence == "high":
        assert model.total_params == model.published_params
    else:
        assert model.published_params is None
    assert model.total_params == model.layout.first_params + sum(model.block_params) + model.layout.last_params


@pytest.mark.parametrize("model", catalog.models(), ids=lambda model: model.name)
def test_lookup_by_either_name(model: catalog.Model) -> None:
    """A model is found by its name and by its name on Hugging Face, whatever the case."""
    assert model.id is not None
    for name in (model.name, model.name.upper(), model.id, model.id.lower()):
        assert catalog.model(name) == model


def test_unknown_model_names_the_closest() -> None:
    """A misspelt name is answered with the right one."""
    with pytest.raises(FormatError, match=r"no model is named 'llama2-7b'; did you mean .*Llama-2-7B"):
        catalog.model("llama2-7b")


def test_unknown_model_without_anything_close() -> None:
    """A name like no other gets no suggestion."""
    with pytest.raises(FormatError, match=r"no model is named 'zzzzzzzz'$"):
        catalog.model("zzzzzzzz")


def test_head_dim_is_not_the_quotient() -> None:
    """Qwen3's heads have 128 dimensions whatever h / a is, 80 for the 32B."""
    model = catalog.model("Qwen3-32B")
    assert 5120 // 64 == 80
    assert set(model.kv_elements) == {2 * 8 * 128}


def test_equal_blocks_different_vocabularies() -> None:
    """Llama-3.1-8B and Mistral-7B have the same blocks; what differs is around them."""
    llama, mistral = catalog.model("Llama-3.1-8B"), catalog.model("Mistral-7B-v0.1")
    assert llama.block_params == mistral.block_params
    assert llama.total_params - mistral.total_params == 2 * 4096 * (128_256 - 32_000)
    assert llama.layout.first_params == 128_256 * 4096
    assert mistral.layout.last_params == 32_000 * 4096 + 4096


def test_multi_query_cache_is_tiny() -> None:
    """Falcon-7B has one key and value head of 64: 256 bytes a token, not the 18,176 of 71 heads."""
    assert catalog.cache_gb(catalog.model("Falcon-7B"), 1) == D("256e-9")


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("Qwen3-30B-A3B", 3.3),
        ("Qwen3-235B-A22B", 22),
        ("Mixtral-8x7B", 12.9),
        ("DeepSeek-V3", 37),
        ("DeepSeek-V2-Lite", 2.4),
        ("DeepSeek-V2", 21),
    ],
)
def test_active_parameters(name: str, billions: float) -> None:
    """Parameters that a token uses, with those around the blocks, are what the vendors announce."""
    model = catalog.model(name)
    layout = model.layout
    active = sum(model.active_params) + (layout.last_params if layout.tied_params else 0)
    with_ends = active + layout.first_params + layout.last_params
    assert active < billions * 1.05e9
    assert with_ends > billions * 0.97e9


def test_dense_blocks_use_all_parameters() -> None:
    """Without experts, active parameters are all parameters; with them, two of Mixtral's eight."""
    bloom, mixtral = catalog.model("BLOOM-176B"), catalog.model("Mixtral-8x7B")
    assert bloom.active_params == bloom.block_params
    assert mixtral.block_params[0] - mixtral.active_params[0] == 6 * 3 * 4096 * 14336


def test_tied_output_matrix_is_copied_to_the_last_server() -> None:
    """A tied matrix counts once in the model, and at both ends of a chain."""
    model = catalog.model("BLOOM-176B")
    embedding = 250_880 * 14_336
    first, last = catalog.ends_gb(model)
    assert first == D(2 * (embedding + 2 * 14_336)).scaleb(-9)
    assert last == D(2 * (embedding + 2 * 14_336)).scaleb(-9)
    assert model.layout.last_params == 2 * 14_336
    untied = catalog.model("Llama-2-7B")
    assert catalog.ends_gb(untied)[1] == D(2 * (32_000 * 4096 + 4096)).scaleb(-9)


def test_falcon_180b_tied() -> None:
    """Were its output matrix tied, Falcon-180B would have the other total that is found in lists."""
    values = {
        "model_type": "falcon",
        "hidden_size": 14848,
        "num_hidden_layers": 80,
        "num_attention_heads": 232,
        "num_kv_heads": 8,
        "new_decoder_architecture": True,
        "vocab_size": 65024,
    }
    assert catalog.parse_config(values).total_params == 178_557_088_768
    assert catalog.parse_config({**values, "tie_word_embeddings": False}).total_params == 179_522_565_120
