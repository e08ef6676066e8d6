"""From a cluster to an instance, with every assumption in words."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from chainopt import catalog
from chainopt.cluster.cards import card, joined
from chainopt.cluster.description import Cluster
from chainopt.errors import FormatError
from chainopt.files.yaml_document import read_yaml
from chainopt.model.instance import Instance, Server, Workload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from chainopt.catalog.models import Model
    from chainopt.cluster.cards import Found
    from chainopt.cluster.description import Group

MOST_SERVERS = 10**5


@dataclass(frozen=True)
class Plan:
    """An instance, and what was taken for granted to get it."""

    instance: Instance
    assumptions: tuple[str, ...]


def read_cluster(source: str | os.PathLike[str]) -> Cluster:
    """Read a cluster from a YAML file; ``-`` is standard input. A relative path of a model is relative to the file.

    Raises
    ------
    FormatError
        If it is none: file, line, column, the value and what was expected.
    """
    cluster = read_yaml(source, Cluster)
    beside = Path(source).parent / cluster.model
    if os.fspath(source) != "-" and not Path(cluster.model).is_absolute() and _is_path(cluster.model, beside):
        return cluster.replace(model=str(beside))
    return cluster


def planned(cluster: Cluster, servers: Sequence[Server] = ()) -> Plan:
    """The instance of a cluster.

    Servers get the ids NAME-1, NAME-2 and so on, a group of one server just NAME.

    Parameters
    ----------
    servers
        Servers whose memories and times are known; they come first.

    Raises
    ------
    FormatError
        If a model, a GPU or a precision is unknown, or no instance comes of it.
    """
    model = _model(cluster)
    found = [card(group.gpu) for group in cluster.servers]
    if sum(group.count for group in cluster.servers) > MOST_SERVERS:
        raise FormatError(f"expected at most {MOST_SERVERS} servers in all groups", path="servers")
    catalogued = (
        server
        for group, its, ids in zip(cluster.servers, found, _ids(cluster), strict=True)
        for server in _servers(cluster, group, its, model, ids)
    )
    try:
        instance = Instance(
            name=cluster.name,
            note=f"{model.name} in {catalog.precision(cluster.precision or model.precision).name}, "
            f"{cluster.tokens_in} tokens in, {cluster.tokens_out} out",
            service=catalog.service(
                model,
                cluster.cache_tokens,
                catalog.Assumptions(weights=cluster.precision, kv_bytes=cluster.engine.kv_bytes),
            ),
            workload=Workload(arrival_rate=cluster.arrival_rate, target_load=cluster.target_load),
            servers=(*servers, *catalogued),
        )
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        path = ".".join(str(step) for step in detail["loc"])
        raise FormatError(detail["msg"].removeprefix("Value error, "), path=path or None) from None
    return Plan(instance, tuple(_assumptions(cluster, model, found, known=len(servers))))


def _model(cluster: Cluster) -> Model:
    if _is_path(cluster.model, Path(cluster.model)):
        return catalog.read_config(cluster.model, cluster.precision)
    return catalog.model(cluster.model)


def _is_path(text: str, path: Path) -> bool:
    """Whether a model is meant as a file: as it ends, or because it is there and no model of the table has the name."""
    if text.endswith(".json"):
        return True
    names = {name.casefold() for model in catalog.models() for name in (model.name, model.id) if name}
    try:
        return text.casefold() not in names and (path / "config.json").is_file()
    except (OSError, ValueError):  # such as a name that is too long for a file
        return False


def _ids(cluster: Cluster) -> Iterator[list[str]]:
    """Ids of each group; groups of the same name are counted on."""
    names = [group.name or group.gpu.casefold() if group.devices == 1 else _many(group) for group in cluster.servers]
    total = Counter[str]()
    for name, group in zip(names, cluster.servers, strict=True):
        total[name] += group.count
    used = Counter[str]()
    for name, group in zip(names, cluster.servers, strict=True):
        numbers = range(used[name] + 1, used[name] + group.count + 1)
        used[name] += group.count
        yield [name] if total[name] == 1 else [f"{name}-{i}" for i in numbers]


def _many(group: Group) -> str:
    return group.name or f"{group.devices}x{group.gpu.casefold()}"


def _servers(cluster: Cluster, group: Group, found: Found, model: Model, ids: list[str]) -> Iterator[Server]:
    """The servers of a group."""
    engine, gpu = cluster.engine, joined(found.gpu, group.devices)
    reserve = engine.reserve_gib if group.reserve_gib is None else group.reserve_gib
    assume = catalog.Assumptions(
        weights=cluster.precision,
        kv_bytes=engine.kv_bytes,
        reserve_gib=reserve * group.devices,
        overhead_s=engine.overhead_s,
        compute_efficiency=engine.compute_efficiency,
        memory_efficiency=engine.memory_efficiency,
        batch=engine.batch,
        overhead_ms=engine.overhead_ms,
    )
    memory_gb = catalog.memory_gb(gpu) if group.memory_gb is None else group.memory_gb * group.devices
    tags = {"gpu": gpu.name, "rtt_ms": group.rtt_ms}
    if group.price_per_hour is not None:
        tags["price_per_hour"] = group.price_per_hour
    try:
        first = catalog.server(ids[0], model, gpu, group.rtt_ms, cluster.tokens_in, cluster.tokens_out, assume)
        first = first.replace(memory_gb=memory_gb, reserve_gb=min(first.reserve_gb, memory_gb), tags=tags)
        last = first.replace(id=ids[-1])  # the longest id; those between need not be looked at one by one
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        raise FormatError(detail["msg"].removeprefix("Value error, "), path=f"servers: {ids[0]}") from None
    for name in ids:
        yield last.model_copy(update={"id": name, "tags": dict(last.tags)})


def _assumptions(cluster: Cluster, model: Model, found: list[Found], *, known: int) -> Iterator[str]:
    """What was taken for granted, most doubtful first."""
    engine = cluster.engine
    for group, its in zip(cluster.servers, found, strict=True):
        if not its.as_named and not its.others:
            yield f"{group.gpu} is taken as {its.gpu.name}"
        if its.others:
            yield f"{group.gpu} is taken as {its.gpu.name}, the slowest of it and {', '.join(its.others)}"
        if its.gpu.confidence != "high":
            yield f"the numbers of {its.gpu.name} are of low confidence ({its.gpu.source})"
        if group.devices > 1:
            yield f"{group.devices} x {its.gpu.name} share each block with no loss, and are as fast as all together"
    if model.confidence != "high":
        yield f"the parameters of {model.name} do not add up to the number that is published"
    if not model.uniform:
        yield f"the blocks of {model.name} differ; all are counted as the largest"
    precision = catalog.precision(cluster.precision or model.precision)
    share = f", {float(precision.overhead):.0%} more for what is not quantised" if precision.overhead else ""
    yield f"weights in {precision.name}, {float(precision.bits):g} bits each{share}; caches in {engine.kv_bytes} bytes"
    yield f"a job's cache has room for {cluster.cache_tokens} tokens; longer jobs have to be refused or cut"
    ends = sum(catalog.ends_gb(model))
    yield f"embeddings and output matrix ({float(ends):.3g} GB in bf16) are with the client, as in PETALS"
    yield "arrivals are Poisson, sizes of jobs exponential"
    if known:
        yield f"memories and times of {known} servers are as given"
    if not found:
        return
    yield f"{_number(engine.reserve_gib)} GiB of each GPU are kept for the framework, unless a group says otherwise"
    yield (
        f"speeds are {_share(engine.compute_efficiency)} of the peak FLOPS for prompts and "
        f"{_share(engine.memory_efficiency)} of the peak bandwidth for tokens; engines reach less than the peak"
    )
    yield (
        f"an exchange with a server takes its round trip and {_number(engine.overhead_ms)} ms; one for the prompt, "
        f"one for each of the {cluster.tokens_out - 1} further tokens"
    )


def _number(value: Decimal) -> str:
    return f"{float(value):g}"


def _share(value: Decimal) -> str:
    return f"{float(value):.0%}"
