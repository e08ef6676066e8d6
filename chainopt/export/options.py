"""What a user says about the world outside the instance: the model's files, tokens, addresses, ports."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import simplejson
from pydantic import BeforeValidator, Field, Strict, ValidationError

from chainopt.errors import FormatError
from chainopt.files.text import read_text, source_name
from chainopt.model.record import Record, shown

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from chainopt.model.instance import Instance

_HOST = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\Z"
)
_DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9:,/_.-]{0,199}\Z")


def _address(value: object) -> object:
    if isinstance(value, str) and not _HOST.match(value):
        try:
            ipaddress.ip_address(value)
        except ValueError:
            raise ValueError(f"expected a host name or an IP address, got {shown(value)}") from None
    return value


def _device(value: object) -> object:
    if isinstance(value, str) and not _DEVICE.match(value):
        raise ValueError(f"expected the name of a device, such as 0 or MIG-..., got {shown(value)}")
    return value


class Host(Record):
    """Where a server is.

    Attributes
    ----------
    address
        Host name or IP address, as the other servers see it.
    device
        CUDA_VISIBLE_DEVICES there; None to leave that alone.
    backend
        What llama.cpp calls the device.
    """

    address: Annotated[str, Strict(), BeforeValidator(_address)]
    device: Annotated[str, Strict(), BeforeValidator(_device)] | None = None
    backend: Annotated[str, Strict(), BeforeValidator(_device)] = Field(default="CUDA0")


@dataclass(frozen=True)
class Options:
    """What is asked of an engine.

    Attributes
    ----------
    model
        What the engine is told to load: a name or a path.
    tokens
        Most tokens of a job, in and out; what a cache slot holds.
    hosts
        Where servers are, by id; those that are missing go by a name made of their id.
    quant, dtype
        How the engine stores and computes weights, in its own words; None for its default.
    port
        The first port; each process gets the next.
    memory_share
        Share of a device's memory that vLLM and SGLang may fill; None for the least that suffices.
    fewer_jobs
        Whether capacities may be lowered to what the engine's rounding leaves room for.
    runtime, image
        What Kubernetes runs.
    """

    model: str | None = None
    tokens: int | None = None
    hosts: Mapping[str, Host] = field(default_factory=dict)
    quant: str | None = None
    dtype: str | None = None
    port: int = 8000
    memory_share: float | None = None
    fewer_jobs: bool = False
    runtime: str | None = None
    image: str | None = None

    def __post_init__(self) -> None:
        for name in ("model", "quant", "dtype", "image"):
            value = getattr(self, name)
            if value is not None and not (0 < len(value) <= 4096 and value.isprintable() and value[0] != "-"):
                message = f"expected printable characters that do not start with a dash, got {shown(value)}"
                raise FormatError(message, path=name)

    def needed_model(self) -> str:
        """The model.

        Raises
        ------
        FormatError
            If none is given.
        """
        if self.model is None:
            raise FormatError(
                "expected the name or path that the engine loads, the instance has no service.name", path="--model"
            )
        return self.model

    def needed_tokens(self) -> int:
        """The tokens of a job.

        Raises
        ------
        FormatError
            If none are given.
        """
        if self.tokens is None:
            raise FormatError("expected the most tokens of a job, for which a cache slot is", path="--tokens")
        return self.tokens


def read_hosts(source: str | os.PathLike[str], instance: Instance) -> dict[str, Host]:
    """Read where servers are: a JSON object of an address, or an object with address and device, by server id.

    Raises
    ------
    FormatError
        If it is no such file, or names a server that the instance does not have.
    """
    name = source_name(source)
    try:
        data = simplejson.loads(read_text(source), object_pairs_hook=_pairs)
    except (simplejson.JSONDecodeError, RecursionError, ValueError) as error:
        line, column = getattr(error, "lineno", None), getattr(error, "colno", None)
        message = getattr(error, "msg", None) or str(error)
        raise FormatError(f"not JSON that can be read: {message}", source=name, line=line, column=column) from None
    if not isinstance(data, dict):
        raise FormatError(f"expected an object, got {shown(data)}", source=name)
    hosts = {}
    for server, value in data.items():
        if server not in instance.position:
            raise FormatError(f"{instance.name!r} has no server {shown(server)}", source=name)
        hosts[server] = _host(value, name, server)
    return hosts


def _host(value: Any, source: str, server: str) -> Host:
    entry = {"address": value} if isinstance(value, str) else value
    if not isinstance(entry, dict):
        raise FormatError(f"expected an address or an object, got {shown(value)}", source=source, path=server)
    try:
        return Host.model_validate(entry)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join([server, *map(str, first["loc"])])
        message = (
            str(first["ctx"]["error"])
            if first["type"] == "value_error"
            else f"{first['msg']}, got {shown(first['input'])}"
        )
        raise FormatError(message, source=source, path=where) from None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {shown(key)} stands twice in one object")
        found[key] = value
    return found
