"""What holds for every model and every configuration."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainopt import catalog
from chainopt.errors import FormatError

if TYPE_CHECKING:
    from pathlib import Path

ROWS = tomllib.loads((files("chainopt.catalog") / "data" / "models.toml").read_text())
small = st.integers(1, 12)


@pytest.mark.parametrize("name", ROWS)
def test_table_and_file_agree(name: str, tmp_path: Path) -> None:
    """A config.json written from a row of the table reads back as the model of the table."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps(ROWS[name]["config"]))
    read, known = catalog.read_config(file), catalog.model(name)
    assert (read.family, read.layout, read.precision) == (known.family, known.layout, known.precision)


@pytest.mark.parametrize("name", ROWS)
def test_nulls_are_absent_keys(name: str) -> None:
    """Nulls for keys that a row lacks change nothing."""
    optional = ["head_dim", "num_key_value_heads", "sliding_window", "q_lora_rank", "n_inner", "text_config"]
    optional += ["quantization_config", "layer_types", "attention_bias", "tie_word_embeddings", "num_kv_heads"]
    config = {**dict.fromkeys(optional), **ROWS[name]["config"]}
    assert catalog.parse_config(config).layout == catalog.model(name).layout


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("value", [0, -1, "7", 1.5, True])
def test_every_size_is_checked(name: str, value: Any) -> None:
    """Each integer of each row that is used, made bad, is refused and named."""
    for key, good in ROWS[name]["config"].items():
        if not isinstance(good, int) or isinstance(good, bool):
            continue
        if key == "intermediate_size" and "_moe" in ROWS[name]["config"]["model_type"]:
            continue  # no block of these models is dense
        if value == 0 and type(value) is int and key in ("first_k_dense_replace", "n_shared_experts"):
            continue
        with pytest.raises(FormatError) as caught:
            catalog.parse_config({**ROWS[name]["config"], key: value})
        assert caught.value.path == key


@st.composite
def llamas(draw: st.DrawFn) -> dict[str, Any]:
    k, group, d = draw(small), draw(small), draw(small)
    return {
        "model_type": "llama",
        "num_attention_heads": k * group,
        "num_key_value_heads": k,
        "hidden_size": k * group * d,
        "intermediate_size": draw(small),
        "num_hidden_layers": draw(small),
        "vocab_size": draw(small),
        "tie_word_embeddings": draw(st.booleans()),
    }


@given(llamas())
@settings(max_examples=60, deadline=None)
def test_parameters_are_those_of_the_matrices(values: dict[str, Any]) -> None:
    """Counted matrix by matrix, a Llama has as many parameters as its formula says."""
    h, f, vocabulary = values["hidden_size"], values["intermediate_size"], values["vocab_size"]
    a, k = values["num_attention_heads"], values["num_key_value_heads"]
    d = h // a
    one = [(a * d, h), (k * d, h), (k * d, h), (h, a * d), (f, h), (f, h), (h, f), (h, 1), (h, 1)]
    around = [(vocabulary, h), (h, 1)] + ([] if values["tie_word_embeddings"] else [(vocabulary, h)])
    model = catalog.parse_config(values)
    assert model.block_params == (sum(rows * columns for rows, columns in one),) * values["num_hidden_layers"]
    assert model.total_params == sum(model.block_params) + sum(rows * columns for rows, columns in around)
    same = catalog.parse_config({**values, "head_dim": d})
    assert same.layout == model.layout


@given(llamas(), st.integers(1, 10), st.integers(0, 10))
@settings(max_examples=40, deadline=None)
def test_one_expert_is_a_dense_block_and_a_router(values: dict[str, Any], experts: int, more: int) -> None:
    """A mixture of E experts has E times the MLP and h E more; what a token uses does not depend on E."""
    h, f = values["hidden_size"], values["intermediate_size"]
    dense = catalog.parse_config(values)
    mixture = {**values, "model_type": "mixtral", "num_experts_per_tok": experts}
    many = catalog.parse_config({**mixture, "num_local_experts": experts + more})
    assert many.block_params[0] - dense.block_params[0] == 3 * h * f * (experts + more - 1) + h * (experts + more)
    assert many.active_params[0] - dense.block_params[0] == 3 * h * f * (experts - 1) + h * (experts + more)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = sorted({key for row in ROWS.values() for key in row["config"]} | {"text_config", "head_dim", "layer_types"})


@given(st.sampled_from(sorted(ROWS)), st.dictionaries(st.sampled_from(KEYS), JSON, min_size=1, max_size=3))
@settings(max_examples=300, deadline=None)
def test_a_configuration_is_read_or_refused(name: str, changes: dict[str, Any]) -> None:
    """Whatever stands in a configuration, reading gives a model of positive sizes or a FormatError of one line."""
    try:
        model = catalog.parse_config({**ROWS[name]["config"], **changes})
    except FormatError as refused:
        message = str(refused)
    else:
        message = "config: "
        assert min(model.block_params) > 0
        assert min(model.kv_elements) > 0
        pairs = zip(model.active_params, model.block_params, strict=True)
        assert all(0 < active <= params for active, params in pairs)
    assert message.startswith("config: ")
    assert "\n" not in message
