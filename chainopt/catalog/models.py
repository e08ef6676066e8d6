"""Models: from a table, or from a ``config.json`` of Hugging Face; both take the same way."""

from __future__ import annotations

import functools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainopt.catalog import precisions
from chainopt.catalog.config import Config
from chainopt.catalog.families import FAMILIES
from chainopt.catalog.lookup import data_table, find
from chainopt.errors import FormatError
from chainopt.files.text import read_text
from chainopt.model.record import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chainopt.catalog.blocks import Block, Layout
    from chainopt.catalog.precisions import Precision

MOST_NAME = 200
_OUTSIDE_TEXT_CONFIG = ("model_type", "quantization_config", "torch_dtype", "dtype", "tie_word_embeddings")


@dataclass(frozen=True)
class Model:
    """A model, block by block.

    Attributes
    ----------
    family
        ``model_type``.
    layout
        The blocks, and the parameters around them.
    precision
        How its published weights are stored.
    id
        Name on Hugging Face.
    published_params
        Number of parameters that is published.
    confidence
        ``high`` if the parameters add up to the published number, else ``low``.
    """

    name: str
    family: str
    layout: Layout
    precision: Precision
    id: str | None = None
    published_params: int | None = None
    confidence: str = "high"

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The L blocks."""
        return self.layout.blocks

    @property
    def block_params(self) -> tuple[int, ...]:
        """Parameters of each block, of all its experts."""
        return tuple(block.params for block in self.blocks)

    @property
    def active_params(self) -> tuple[int, ...]:
        """Parameters of each block that one token uses."""
        return tuple(block.active_params for block in self.blocks)

    @property
    def kv_elements(self) -> tuple[int, ...]:
        """Numbers that each block caches for each token."""
        return tuple(block.kv_elements for block in self.blocks)

    @property
    def uniform(self) -> bool:
        """Whether all blocks are equal, as the placement problem assumes."""
        return len(set(self.blocks)) == 1

    @property
    def largest_block_params(self) -> int:
        """Parameters of the largest block: the size that is safe for every block where they differ."""
        return max(self.block_params)

    @property
    def total_params(self) -> int:
        """Parameters of the whole model."""
        return self.layout.first_params + sum(self.block_params) + self.layout.last_params


def model(name: str) -> Model:
    """A model of the table, by its name or its name on Hugging Face, whatever the case.

    Raises
    ------
    FormatError
        If there is none; the message lists the closest names.
    """
    table = _table()
    by_id = {each.id: each for each in table.values() if each.id is not None}
    folded = {key.casefold(): each for key, each in by_id.items()}
    return folded[name.casefold()] if name.casefold() in folded else find(table, name, "model")


def models() -> tuple[Model, ...]:
    """All models of the table."""
    return tuple(_table().values())


def read_config(source: str | os.PathLike[str], precision: str | Precision | None = None) -> Model:
    """Read a ``config.json``, or the one in a folder.

    Parameters
    ----------
    precision
        How the weights are stored, where the file does not say it or says it wrongly.

    Raises
    ------
    FormatError
        If it cannot be read, is not of a known family, or lacks a key or has a bad value.
    """
    path = Path(source)
    if path.is_dir():
        path = path / "config.json"
    text = read_text("-" if os.fspath(source) == "-" else path)
    where = "standard input" if os.fspath(source) == "-" else str(path)
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise FormatError(f"not JSON: {error.msg}", source=where, line=error.lineno, column=error.colno) from None
    except (RecursionError, ValueError) as error:
        raise FormatError(f"not JSON that can be read: {error}", source=where) from None
    if not isinstance(values, dict):
        raise FormatError(f"expected an object, got {shown(values)}", source=where)
    name = path.parent.name if path.name == "config.json" and path.parent.name else path.stem
    return parse_config(values, source=where, name=name or "model", precision=precision)


def parse_config(
    values: Mapping[str, Any],
    *,
    source: str = "config",
    name: str | None = None,
    precision: str | Precision | None = None,
) -> Model:
    """A model from the values of a ``config.json``.

    Parameters
    ----------
    source
        What to call the file in messages.
    name
        Name of the model if the values have no ``_name_or_path``.
    precision
        How the weights are stored, where the values do not say it or say it wrongly.

    Raises
    ------
    FormatError
        If the family is unknown, or a key is missing or has a bad value.
    """
    config = _text_config(Config(values, source))
    family = config.text("model_type")
    if family is None:
        raise config.error("model_type", "the key model_type is missing, expected the family of the model")
    layout_of = FAMILIES.get(family) or FAMILIES.get(family.removesuffix("_text"))
    if layout_of is None:
        raise config.error("model_type", f"expected one of {', '.join(FAMILIES)}, got {shown(family)}")
    given = config.text("_name_or_path") or name or family
    if not given.isprintable() or len(given) > MOST_NAME:
        message = f"expected one printable line of at most {MOST_NAME} characters, got {shown(given)}"
        raise config.error("_name_or_path", message)
    return Model(
        name=given,
        family=family,
        layout=layout_of(config),
        precision=precisions.configured(config) if precision is None else precisions.precision(precision),
    )


def _text_config(config: Config) -> Config:
    """The part that describes the language model; multimodal models nest it in text_config."""
    text = config.part("text_config")
    if text is None:
        return config
    outside = {key: config.values[key] for key in _OUTSIDE_TEXT_CONFIG if config.values.get(key) is not None}
    inside = {key: value for key, value in text.values.items() if value is not None}
    return Config({**outside, **inside}, config.source, text.prefix)


@functools.cache
def _table() -> dict[str, Model]:
    rows = data_table("models.toml")
    return {name: _row(name, row) for name, row in rows.items()}


def _row(name: str, row: dict[str, Any]) -> Model:
    plain = parse_config(row["config"], source=name, name=name)
    return Model(name, plain.family, plain.layout, plain.precision, row["id"], row.get("params"), row["confidence"])
