"""Names in tables: found whatever their case, and missing ones answered with the closest."""

from __future__ import annotations

import difflib
import tomllib
from decimal import Decimal
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeVar

from chainopt.errors import FormatError
from chainopt.model.record import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")


def data_text(name: str) -> str:
    """The text of a data file of this package."""
    return (files("chainopt.catalog") / "data" / name).read_text(encoding="utf-8")


def data_table(name: str) -> dict[str, Any]:
    """A TOML data file of this package, its numbers as written."""
    return tomllib.loads(data_text(name), parse_float=Decimal)


def find(table: Mapping[str, T], name: str, kind: str) -> T:
    """The entry of that name, whatever its case.

    Parameters
    ----------
    kind
        What the table holds, for the message.

    Raises
    ------
    FormatError
        If there is none; the message lists the closest names.
    """
    by_folded = {key.casefold(): key for key in table}
    folded = name.casefold()
    if folded in by_folded:
        return table[by_folded[folded]]
    longer = sorted((key for key in by_folded if folded and folded in key), key=len)
    close = difflib.get_close_matches(folded, by_folded, n=4, cutoff=0.5)
    hint = ", ".join(by_folded[key] for key in dict.fromkeys((longer + close)[:6]))
    raise FormatError(f"no {kind} is named {shown(name)}" + (f"; did you mean {hint}?" if hint else ""))
