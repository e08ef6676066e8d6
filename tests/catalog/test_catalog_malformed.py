"""Every bad config.json is refused with one line that says what is wrong, and where."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from chainopt import catalog
from chainopt.errors import FormatError

if TYPE_CHECKING:
    from pathlib import Path

LLAMA = {
    "model_type": "llama",
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 16,
    "vocab_size": 10,
}
MIXTRAL = {**LLAMA, "model_type": "mixtral", "num_local_experts": 3, "num_experts_per_tok": 2}
QWEN3_MOE = {
    **LLAMA,
    "model_type": "qwen3_moe",
    "num_experts": 3,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 4,
}
FALCON = {**LLAMA, "model_type": "falcon"}
MISSING = object()

BAD_VALUES: list[tuple[dict[str, Any], str, Any, str]] = [
    (LLAMA, "model_type", MISSING, "the key model_type is missing"),
    (LLAMA, "model_type", None, "the key model_type is missing"),
    (LLAMA, "model_type", 7, "expected a string, got 7"),
    (LLAMA, "model_type", "mamba", "expected one of llama, .*, got 'mamba'"),
    (LLAMA, "hidden_size", MISSING, "the key hidden_size is missing, expected an integer from 1"),
    (LLAMA, "hidden_size", None, "the key hidden_size is missing"),
    (LLAMA, "hidden_size", 0, "expected an integer from 1 to 1000000000, got 0"),
    (LLAMA, "hidden_size", -8, "got -8"),
    (LLAMA, "hidden_size", "8", "got '8'"),
    (LLAMA, "hidden_size", 8.0, r"got 8\.0"),
    (LLAMA, "hidden_size", True, "got true"),
    (LLAMA, "hidden_size", [8], "got an array of 1"),
    (LLAMA, "hidden_size", 10**30, "got 10000"),
    (LLAMA, "hidden_size", float("nan"), "got nan"),
    (LLAMA, "hidden_size", 9, "expected hidden_size divisible by num_attention_heads, got 9 and 4"),
    (LLAMA, "num_hidden_layers", 0, "got 0"),
    (LLAMA, "num_hidden_layers", 10**6, "expected at most 100000 blocks, got 1000000"),
    (LLAMA, "num_attention_heads", MISSING, "the key num_attention_heads is missing"),
    (LLAMA, "num_key_value_heads", 0, "got 0"),
    (LLAMA, "num_attention_heads", 3, "expected num_attention_heads divisible by num_key_value_heads, got 3 and 2"),
    (LLAMA, "head_dim", -1, "got -1"),
    (LLAMA, "intermediate_size", MISSING, "the key intermediate_size is missing"),
    (LLAMA, "vocab_size", "many", "got 'many'"),
    (LLAMA, "attention_bias", "yes", "expected true or false, got 'yes'"),
    (LLAMA, "mlp_bias", 1, "expected true or false, got 1"),
    (LLAMA, "tie_word_embeddings", "no", "expected true or false, got 'no'"),
    (LLAMA, "torch_dtype", "float64", "expected one of float32, .*, got 'float64'"),
    (LLAMA, "torch_dtype", 16, "expected a string, got 16"),
    (LLAMA, "text_config", [1], "expected an object, got an array of 1"),
    (LLAMA, "layer_types", ["full_attention"], "expected an array of 2 names"),
    (LLAMA, "quantization_config", "awq", "expected an object, got 'awq'"),
    (LLAMA, "_name_or_path", 3, "expected a string, got 3"),
    (LLAMA, "_name_or_path", "a\nb", "expected one printable line of at most 200 characters"),
    (LLAMA, "_name_or_path", "a" * 201, "expected one printable line of at most 200 characters"),
    (MIXTRAL, "num_local_experts", MISSING, "the key num_local_experts is missing"),
    (MIXTRAL, "num_experts_per_tok", 4, "expected at most num_local_experts = 3, got 4"),
    (MIXTRAL, "sliding_window", -1, "got -1"),
    (QWEN3_MOE, "mlp_only_layers", 1, "expected an array, got 1"),
    (QWEN3_MOE, "decoder_sparse_step", 0, "got 0"),
    (QWEN3_MOE, "moe_intermediate_size", MISSING, "the key moe_intermediate_size is missing"),
    (FALCON, "num_ln_in_parallel_attn", 3, "expected 1 or 2, got 3"),
    (FALCON, "multi_query", "true", "expected true or false, got 'true'"),
]


@pytest.mark.parametrize(("values", "key", "value", "message"), BAD_VALUES)
def test_bad_value(tmp_path: Path, values: dict[str, Any], key: str, value: Any, message: str) -> None:
    """The error names the file, the key, the value and what was expected."""
    changed = {name: each for name, each in values.items() if name != key}
    if value is not MISSING:
        changed[key] = value
    file = tmp_path / "config.json"
    file.write_text(json.dumps(changed))
    with pytest.raises(FormatError, match=message) as caught:
        catalog.read_config(file)
    assert caught.value.source == str(file)
    assert caught.value.path == key
    assert "\n" not in str(caught.value)


def test_bad_value_inside_a_list() -> None:
    """The position in a list is named too."""
    values = {**LLAMA, "model_type": "gemma2", "layer_types": ["full_attention", "linear_attention"]}
    with pytest.raises(FormatError, match="expected one of full_attention, sliding_attention") as caught:
        catalog.parse_config(values)
    assert caught.value.path == "layer_types[1]"
    with pytest.raises(FormatError, match="expected a block number from 0 to 1, got 2") as caught:
        catalog.parse_config({**QWEN3_MOE, "mlp_only_layers": [0, 2]})
    assert caught.value.path == "mlp_only_layers[1]"


def test_bad_value_inside_text_config() -> None:
    """A key of a nested object is named with the object."""
    with pytest.raises(FormatError, match="got 0") as caught:
        catalog.parse_config({"model_type": "x", "text_config": {**LLAMA, "vocab_size": 0}}, source="f.json")
    assert (caught.value.source, caught.value.path) == ("f.json", "text_config.vocab_size")


def test_missing_key_with_two_names() -> None:
    """All names of a key are offered."""
    with pytest.raises(FormatError, match="the key n_layer or num_hidden_layers is missing"):
        catalog.parse_config({"model_type": "bloom", "n_embed": 8, "n_head": 4})


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("", "not JSON", 1),
        ("{", "not JSON", 1),
        ('{\n  "hidden_size": 4096,,\n}', "not JSON", 2),
        ("hidden_size = 4096", "not JSON", 1),
        ("[" * 100_000, "not JSON", None),
        ('{"a": ' + "1" * 5000 + "}", "not JSON that can be read", None),
        ("[]", "expected an object, got an array of 0", None),
        ("null", "expected an object, got null", None),
        ('"llama"', "expected an object, got 'llama'", None),
    ],
)
def test_not_an_object(tmp_path: Path, text: str, message: str, line: int | None) -> None:
    """What is no JSON object is refused, with the line where JSON ends."""
    file = tmp_path / "config.json"
    file.write_text(text)
    with pytest.raises(FormatError, match=message) as caught:
        catalog.read_config(file)
    assert caught.value.source == str(file)
    assert caught.value.line == line


def test_not_a_text(tmp_path: Path) -> None:
    """Neither is what is no text, or not there."""
    file = tmp_path / "config.json"
    file.write_bytes(b'{"model_type": "\xff"}')
    with pytest.raises(FormatError, match="expected UTF-8"):
        catalog.read_config(file)
    with pytest.raises(FormatError, match="cannot be read"):
        catalog.read_config(tmp_path / "absent.json")
    with pytest.raises(FormatError, match="cannot be read"):
        catalog.read_config(tmp_path / "folder" / "config.json")


QUANTIZATIONS: list[tuple[dict[str, Any], str, str]] = [
    ({}, "quant_method", "expected one of awq, .*, got null"),
    ({"quant_method": "magic"}, "quant_method", "got 'magic'; or state the precision yourself"),
    ({"quant_method": 4}, "quant_method", "expected a string, got 4"),
    ({"quant_method": "bitsandbytes"}, "load_in_4bit", "expected load_in_4bit or load_in_8bit to be true"),
    ({"quant_method": "gptq", "bits": 5}, "bits", "expected 2, 3, 4 or 8, got 5"),
    ({"quant_method": "gptq", "bits": "4"}, "bits", "got '4'"),
    ({"quant_method": "awq", "bits": 4, "group_size": 100}, "group_size", "power of two, got 100"),
    ({"quant_method": "awq", "bits": 4, "group_size": "all"}, "group_size", "power of two, got 'all'"),
    ({"quant_method": "compressed-tensors"}, "config_groups", "expected at least one group"),
    ({"quant_method": "compressed-tensors", "config_groups": []}, "config_groups", "expected an object"),
]


@pytest.mark.parametrize(("quantization", "key", "message"), QUANTIZATIONS)
def test_bad_quantization(quantization: dict[str, Any], key: str, message: str) -> None:
    """A quantisation that is not understood is an error, unless the caller says how weights are stored."""
    values = {**LLAMA, "quantization_config": quantization}
    with pytest.raises(FormatError, match=message) as caught:
        catalog.parse_config(values)
    assert caught.value.path == f"quantization_config.{key}"
    assert catalog.parse_config(values, precision="int4").precision.name == "int4"
