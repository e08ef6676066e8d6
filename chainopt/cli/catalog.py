"""``chainopt catalog``: the models, GPUs and networks that are known."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from chainopt.cli.common import json_option, show_table, verbosity

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.group()
def command() -> None:
    """What is known of models, GPUs and networks.

    \b
    Examples:
      chainopt catalog models
      chainopt catalog models --config path/to/config.json --precision nf4 --tokens 4096
      chainopt catalog gpus --json
    """


@command.command()
@click.option("--config", metavar="FILE", help="A config.json of Hugging Face, instead of the table.")
@click.option("--precision", metavar="P", help="Of the weights, such as bf16 or nf4. [default: the model's own]")
@click.option("--tokens", type=click.IntRange(min=1), default=2048, show_default=True, help="Of a job, in and out.")
@json_option
@verbosity
def models(config: str | None, precision: str | None, tokens: int, as_json: bool) -> int:
    """Models: blocks, and the memory of a block and of its cache. GB = 10^9 bytes."""
    from chainopt import catalog

    chosen = catalog.models() if config is None else (catalog.read_config(config, precision),)
    entries = [
        {
            "name": model.name,
            "family": model.family,
            "blocks": len(model.blocks),
            "parameters": model.total_params,
            "stored_as": model.precision.name,
            "block_gb": float(catalog.block_gb(model, precision)),
            "cache_gb": float(catalog.cache_gb(model, tokens)),
        }
        for model in chosen
    ]
    return _show(entries, as_json)


@command.command()
@json_option
@verbosity
def gpus(as_json: bool) -> int:
    """GPUs and MIG slices: usable memory, memory bandwidth, dense FP16/BF16 tensor TFLOPS, and the source."""
    from chainopt import catalog

    entries = [
        {
            "name": gpu.name,
            "memory_gb": float(catalog.memory_gb(gpu)),
            "memory_gib": round(gpu.usable_bytes / 2**30, 2),
            "gb_per_s": float(gpu.bandwidth_gb_s),
            "tflops": float(gpu.tflops),
            "confidence": gpu.confidence,
            "source": gpu.source,
        }
        for gpu in catalog.gpus()
    ]
    return _show(entries, as_json)


@command.command()
@json_option
@verbosity
def networks(as_json: bool) -> int:
    """Networks: nodes, and round-trip times from the node that is best placed to orchestrate."""
    import numpy as np

    from chainopt import catalog

    entries = []
    for name in catalog.networks():
        network = catalog.network(name)
        others = np.delete(network.rtt_ms[network.hub], network.hub)
        entries.append(
            {
                "name": name,
                "nodes": len(network.nodes),
                "hub": network.nodes[network.hub],
                "rtt_ms_least": round(float(others.min()), 2),
                "rtt_ms_median": round(float(np.median(others)), 2),
                "rtt_ms_most": round(float(others.max()), 2),
            }
        )
    return _show(entries, as_json)


def _show(entries: Sequence[dict[str, Any]], as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps(entries, indent=2, ensure_ascii=False))
        return 0
    columns = [f">{key}" if isinstance(value, int | float) else key for key, value in entries[0].items()]
    rows = [
        [f"{v:,}" if isinstance(v, int) else f"{v:g}" if isinstance(v, float) else v for v in e.values()]
        for e in entries
    ]
    show_table(columns, rows)
    return 0
