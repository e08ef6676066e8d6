"""Number formats of weights."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from chainopt import catalog
from chainopt.errors import FormatError

LLAMA = {
    "model_type": "llama",
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 16,
    "vocab_size": 10,
}


@pytest.mark.parametrize(
    ("name", "bytes_per_param"),
    [
        ("fp32", "4"),
        ("bf16", "2"),
        ("fp16", "2"),
        ("fp8", "1"),
        ("int8", "1.01"),
        ("nf4", "0.5365625"),
        ("int4", "0.53125"),
        ("mxfp4", "0.53125"),
    ],
)
def test_bytes_per_param(name: str, bytes_per_param: str) -> None:
    """Scales, zero points and PETALS' 1 % are counted."""
    assert catalog.precision(name).bytes_per_param == Fraction(bytes_per_param)
    assert catalog.precision(name.upper()) is catalog.PRECISIONS[name]


def test_unknown_precision() -> None:
    """A misspelt format is answered with the right one."""
    with pytest.raises(FormatError, match=r"no precision is named 'float16'; did you mean .*fp16"):
        catalog.precision("float16")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "bf16"),
        ({"torch_dtype": None}, "bf16"),
        ({"torch_dtype": "float16"}, "fp16"),
        ({"dtype": "float32"}, "fp32"),
        ({"torch_dtype": "torch.bfloat16"}, "bf16"),
        ({"torch_dtype": "float16", "quantization_config": None}, "fp16"),
        ({"quantization_config": {"quant_method": "fp8"}}, "fp8"),
        ({"quantization_config": {"quant_method": "fbgemm_fp8"}}, "fp8"),
        ({"quantization_config": {"quant_method": "mxfp4"}}, "mxfp4"),
        ({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}, "nf4"),
        ({"quantization_config": {"load_in_8bit": True, "load_in_4bit": False}}, "int8"),
        ({"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128}}, "int4-g128"),
        ({"quantization_config": {"quant_method": "awq", "w_bit": 4, "q_group_size": 64}}, "int4-g64"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "int4-g128"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 3, "group_size": -1}}, "int3"),
    ],
)
def test_precision_of_a_configuration(changes: dict[str, Any], name: str) -> None:
    """quantization_config decides, else torch_dtype, else 16 bits."""
    assert catalog.parse_config({**LLAMA, **changes}).precision.name == name


@pytest.mark.parametrize(
    ("group", "bits"),
    [({"group_size": 128}, Fraction(17, 4)), ({"group_size": 64}, Fraction(9, 2)), ({"group_size": -1}, 4)],
)
def test_bits_of_groups(group: dict[str, int], bits: Fraction) -> None:
    """A group has a scale and a zero point of 16 bits each."""
    values = {**LLAMA, "quantization_config": {"quant_method": "gptq", "bits": 4, **group}}
    assert catalog.parse_config(values).precision.bits == bits


@pytest.mark.parametrize(
    ("weights", "name"),
    [
        ({"num_bits": 8, "type": "float"}, "fp8"),
        ({"num_bits": 8, "type": "int"}, "int8"),
        ({"num_bits": 4, "type": "int", "group_size": 32}, "int4-g32"),
    ],
)
def test_compressed_tensors(weights: dict[str, Any], name: str) -> None:
    """The widest group of weights decides."""
    groups = {"group_0": {"weights": weights}, "group_1": {"weights": None}}
    values = {**LLAMA, "quantization_config": {"quant_method": "compressed-tensors", "config_groups": groups}}
    assert catalog.parse_config(values).precision.name == name
