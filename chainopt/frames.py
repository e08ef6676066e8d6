"""Results as pandas frames: chains, servers, runs of a benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from chainopt.errors import FormatError
from chainopt.files.text import printable, read_text
from chainopt.quantity import at_least
from chainopt.queueing import response_time

if TYPE_CHECKING:
    import os

    import pandas as pd

    from chainopt.model.instance import Instance
    from chainopt.model.solution import Solution


def chains(instance: Instance, solution: Solution) -> pd.DataFrame:
    """One chain a row: `servers` and `blocks` (tuples), `capacity`, `service_time_s`, `rate`, `share`, `busy`.

    `share` of the jobs and `busy` part of the capacity are exact under JFFC, missing where the load is 1 or more.
    """
    import pandas as pd

    composition = solution.bind(instance).composition
    arrival_rate = float(instance.workload.arrival_rate)
    shares = np.full(composition.capacities.size, np.nan)
    if not at_least(arrival_rate, composition.total_service_rate):
        shares = response_time(composition, arrival_rate).shares
    return pd.DataFrame(
        {
            "servers": [chain.servers for chain in solution.chains],
            "blocks": [chain.blocks for chain in composition.chains],
            "capacity": composition.capacities,
            "service_time_s": composition.service_times_s,
            "rate": composition.capacities / composition.service_times_s,
            "share": shares,
            "busy": shares * arrival_rate * composition.service_times_s / composition.capacities,
        }
    ).rename_axis("chain")


def servers(instance: Instance, solution: Solution) -> pd.DataFrame:
    """One server a row, by id: `start`, `stop`; `memory_gb`, `blocks_gb`, `cache_gb`, `free_gb`; `chains`.

    `cache_gb` is what full chains take, `chains` the number that pass.
    """
    import pandas as pd

    composition = solution.bind(instance).composition
    start, stop = composition.placement.start, composition.placement.stop
    of_hop = np.repeat(np.arange(composition.capacities.size), np.diff(composition.first))
    slots = np.bincount(
        composition.hops, composition.hop_blocks * composition.capacities[of_hop], len(instance.servers)
    )
    passing = np.bincount(composition.hops, minlength=len(instance.servers))
    memory = np.array([float(server.memory_gb - server.reserve_gb) for server in instance.servers])
    blocks_gb = (stop - start) * float(instance.service.block_gb)
    cache_gb = slots * float(instance.service.cache_gb)
    return pd.DataFrame(
        {
            "start": start,
            "stop": stop,
            "memory_gb": memory,
            "blocks_gb": blocks_gb,
            "cache_gb": cache_gb,
            "free_gb": memory - blocks_gb - cache_gb,
            "chains": passing,
        },
        index=pd.Index([server.id for server in instance.servers], name="server"),
    )


def runs(results: str | os.PathLike[str]) -> pd.DataFrame:
    """One run of a benchmark a row, from ``results.jsonl`` or the folder that it is in; columns as in its records.

    Raises
    ------
    FormatError
        If a line is no record.
    """
    import pandas as pd
    import simplejson

    path = Path(results)
    path = path / "results.jsonl" if path.is_dir() else path
    records = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        try:
            record = simplejson.loads(line)
        except simplejson.JSONDecodeError as error:
            raise FormatError(f"not JSON: {error.msg}", source=printable(str(path)), line=number) from None
        if not isinstance(record, dict):
            raise FormatError("expected an object", source=printable(str(path)), line=number)
        records.append(record)
    return pd.DataFrame.from_records(records)
