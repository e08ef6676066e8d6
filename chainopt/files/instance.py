"""Instance files, and the digest by which a solution knows its instance."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import simplejson

from chainopt.files.document import dump, read_record
from chainopt.files.text import write_text
from chainopt.model.instance import Instance, Server

if TYPE_CHECKING:
    import os
    from decimal import Decimal


def read_instance(source: str | os.PathLike[str]) -> Instance:
    """Read an instance file; ``-`` is standard input.

    Raises
    ------
    FormatError
        If it is not one: file, line, column, the value and what was expected.
    """
    return read_record(source, Instance)


def write_instance(instance: Instance, target: str | os.PathLike[str]) -> None:
    """Write an instance file, whole or not at all; ``-`` is standard output.

    Raises
    ------
    FormatError
        If the target cannot be written.
    """
    write_text(instance_text(instance), target)


def instance_text(instance: Instance) -> str:
    """An instance as the text of its file."""
    service, workload = instance.service, instance.workload
    return dump(
        {
            "format": instance.format,
            "name": instance.name,
            **({} if instance.note is None else {"note": instance.note}),
            "service": {
                **({} if service.name is None else {"name": service.name}),
                "blocks": service.blocks,
                "block_gb": service.block_gb,
                "cache_gb": service.cache_gb,
            },
            "workload": {"arrival_rate": workload.arrival_rate, "target_load": workload.target_load},
            "servers": [_server(server) for server in instance.servers],
        }
    )


def _server(server: Server) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": server.id,
        "memory_gb": server.memory_gb,
        "comm_s": server.comm_s,
        "comp_s_per_block": server.comp_s_per_block,
    }
    if server.reserve_gb:
        entry["reserve_gb"] = server.reserve_gb
    if server.pin is not None:
        entry["pin"] = {"start": server.pin.start, "stop": server.pin.stop}
    if server.tags:
        entry["tags"] = server.tags
    return entry


def canonical_form(instance: Instance) -> str:
    """The problem alone, as one line of JSON in which equal problems are equal letter by letter.

    Numbers are written as strings in plain notation without trailing zeros. Names, notes and tags are left out, for
    they do not change what is to be solved; ids stay, for a solution refers to them.
    """
    return simplejson.dumps(  # type: ignore[no-any-return]
        {
            "format": instance.format,
            "service": [
                instance.service.blocks,
                _plain(instance.service.block_gb),
                _plain(instance.service.cache_gb),
            ],
            "workload": [_plain(instance.workload.arrival_rate), _plain(instance.workload.target_load)],
            "servers": [
                [
                    server.id,
                    _plain(server.memory_gb),
                    _plain(server.comm_s),
                    _plain(server.comp_s_per_block),
                    _plain(server.reserve_gb),
                    None if server.pin is None else [server.pin.start, server.pin.stop],
                ]
                for server in instance.servers
            ],
        },
        ensure_ascii=True,
        separators=(",", ":"),
    )


def _plain(number: Decimal) -> str:
    text = f"{number:f}"  # not normalize(): it rounds to the precision of the context
    return text.rstrip("0").rstrip(".") if "." in text else text


def digest(instance: Instance) -> str:
    """SHA-256 of the canonical form, in hexadecimal."""
    return hashlib.sha256(canonical_form(instance).encode("ascii")).hexdigest()
