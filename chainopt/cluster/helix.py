"""Clusters of the simulator of Helix [Mei et al., ASPLOS 2025]: INI files with Python in them, which is never run."""

from __future__ import annotations

import ast
import configparser
import re
from decimal import Decimal
from typing import TYPE_CHECKING

from pydantic import ValidationError

from chainopt.cluster.description import MOST_DEVICES, Group
from chainopt.errors import FormatError
from chainopt.files.document import mistake
from chainopt.files.text import printable, read_text, source_name
from chainopt.model.record import shown

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

_LATENCY_MS = {"Sec": Decimal(1000), "MilliSec": Decimal(1)}
_MEMORY_GB = {"GB": Decimal(1), "MB": Decimal("0.001"), "KB": Decimal("0.000001")}
_PRODUCT = re.compile(r"([0-9]*\.?[0-9]+(?:e-?[0-9]{1,3})?)\s*\*\s*([A-Za-z]+)", re.ASCII)
_DEVICES = re.compile(r"(.+)x([0-9]{1,9})", re.ASCII)
_MOST_NODES = 100_000
_SAID_BY = {"gpu": "type", "rtt_ms": "latencies of its links, in ms", "memory_gb": "vram_size of its type, in GB"}
"""Where the file says what a field of a group is."""
CARDS: Mapping[str, str] = {"A100": "A100-SXM-40GB", "V100": "V100-16GB"}
"""What the profiles of Helix mean by names that fit several cards; other types are looked up as they stand."""


def read_helix(cluster: str | os.PathLike[str], profiles: str | os.PathLike[str] | None = None) -> tuple[Group, ...]:
    """Read the servers of a cluster file of Helix, one group each, in its order.

    Of the cluster file count the types of the nodes and the latencies of the links from the source and to the sink: a
    round trip is both. A type such as ``T4x2`` is two GPUs that share each block. Bandwidths and links between nodes
    have no place in the model here. Values are read as what the generator of Helix writes, lists and products of a
    number and a unit; nothing is evaluated.

    Parameters
    ----------
    profiles
        File of machine profiles; of each type counts the memory, ``vram_size``, of all its GPUs. The catalogue's usable
        memory unless given.

    Raises
    ------
    FormatError
        If a file is not one of Helix.
    """
    name = source_name(cluster)
    sections = _sections(cluster)
    memory_gb = {} if profiles is None else _memories(profiles)
    total = _whole(_get(sections, "NodeNames", "total_compute_nodes", name), name, "[NodeNames] total_compute_nodes")
    reached = _linked(sections, "SourceNode", name) & _linked(sections, "SinkNode", name)
    groups = []
    for node in range(total):
        section = f"ComputeNode-{node}"
        kind = _get(sections, section, "type", name)
        if node not in reached:
            raise FormatError(
                "expected links from the source and to the sink, for every server talks to the orchestrator here",
                source=name,
                path=f"[{section}]",
            )
        there = _latency_ms(sections, f"Link-source-{node}", name)
        back = _latency_ms(sections, f"Link-{node}-sink", name)
        groups.append(_group(kind, there + back, node, memory_gb.get(kind), name))
    return tuple(groups)


def _group(kind: str, rtt_ms: Decimal, node: int, memory_gb: Decimal | None, source: str) -> Group:
    """The server of a node; `memory_gb` is that of all GPUs of its type."""
    section = f"[ComputeNode-{node}]"
    match = _DEVICES.fullmatch(kind)
    card, devices = (match[1], int(match[2])) if match else (kind, 1)
    if not 1 <= devices <= MOST_DEVICES:
        expected = f"a GPU, or one and x and the number of them from 1 to {MOST_DEVICES}, such as T4x2"
        raise FormatError(f"expected {expected}, got {shown(kind)}", source=source, path=f"{section} type")
    try:
        return Group(
            gpu=CARDS.get(card, card),
            devices=devices,
            rtt_ms=rtt_ms,
            name=f"node-{node}",
            memory_gb=None if memory_gb is None else memory_gb / devices,
        )
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        path = f"{section} {_SAID_BY.get(str(detail['loc'][0]), '')}".rstrip()
        raise FormatError(mistake(detail), source=source, path=path) from None


def _sections(source: str | os.PathLike[str]) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, default_section="\0")
    try:
        parser.read_string(read_text(source), source_name(source))
    except configparser.Error as error:
        lines = [line for line, _ in getattr(error, "errors", ())] or [getattr(error, "lineno", None)]
        reason = printable(error.message.splitlines()[0].rpartition(": ")[2])
        raise FormatError(f"not an INI file: {reason}", source=source_name(source), line=lines[0]) from None
    return parser


def _get(sections: configparser.ConfigParser, section: str, key: str, source: str) -> str:
    if section not in sections:
        raise FormatError(f"the section [{section}] is missing", source=source)
    if key not in sections[section]:
        raise FormatError(f"the key {key} is missing", source=source, path=f"[{section}]")
    return sections[section][key]


def _whole(text: str, source: str, path: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not 1 <= int(text) <= _MOST_NODES:
        raise FormatError(f"expected an integer from 1 to {_MOST_NODES}, got {shown(text)}", source=source, path=path)
    return int(text)


def _linked(sections: configparser.ConfigParser, section: str, source: str) -> set[object]:
    """The nodes that the source or the sink is linked with."""
    text = _get(sections, section, "connected_nodes", source)
    try:
        return set(ast.literal_eval(text))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        message = f"expected a list of nodes, got {shown(text)}"
        raise FormatError(message, source=source, path=f"[{section}] connected_nodes") from None


def _latency_ms(sections: configparser.ConfigParser, section: str, source: str) -> Decimal:
    return _product(_get(sections, section, "latency", source), _LATENCY_MS, source, f"[{section}] latency")


def _memories(source: str | os.PathLike[str]) -> dict[str, Decimal]:
    """Memory of each machine type, GB."""
    sections, name = _sections(source), source_name(source)
    types = [section for section in sections.sections() if section not in ("SourceNode", "SinkNode")]
    return {
        kind: _product(_get(sections, kind, "vram_size", name), _MEMORY_GB, name, f"[{kind}] vram_size")
        for kind in types
    }


def _product(text: str, units: Mapping[str, Decimal], source: str, path: str) -> Decimal:
    """A number times a unit."""
    match = _PRODUCT.fullmatch(text.strip())
    if match is None or match[2] not in units:
        expected = f"a number * {' or '.join(units)}"
        raise FormatError(f"expected {expected}, got {shown(text)}", source=source, path=path)
    return Decimal(match[1]) * units[match[2]]
