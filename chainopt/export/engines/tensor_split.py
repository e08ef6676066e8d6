"""How llama.cpp puts layers on devices, as src/llama-model.cpp says (load_tensors, get_layer_buft_list)."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_DEVICES = 16
"""llama_max_devices()."""

MOST_COUNTS = MOST_DEVICES - 1
"""--tensor-split takes fewer numbers than there may be devices (common/arg.cpp)."""


def layer_devices(split: Sequence[float], blocks: int, gpu_layers: int) -> list[int | None]:
    """Device of each layer, the output layer last; None for the CPU.

    The positions are the blocks and one output layer. Of the last `gpu_layers` of them, position i is on the first
    device whose share of the split, with those before it, is more than i's share of the positions; all in single
    precision, as there.

    Parameters
    ----------
    split
        Numbers of --tensor-split, one a device.
    """
    total = np.float32(0)
    points = []
    for part in split:
        total = np.float32(total + np.float32(part))
        points.append(total)
    points = [np.float32(point / total) for point in points]
    first = max(blocks + 1 - gpu_layers, 0)
    active = min(gpu_layers, blocks + 1)
    devices: list[int | None] = []
    for layer in range(blocks + 1):
        if layer < first or layer - first >= active:
            devices.append(None)
        else:
            devices.append(bisect_right(points, np.float32(np.float32(layer - first) / np.float32(active))))
    return devices


def device_ranges(devices: Sequence[int | None], count: int) -> list[tuple[int, int]]:
    """First block and end on each device, from the devices of layers without the output layer.

    Raises
    ------
    ValueError
        If a block is on no device, or the blocks of a device are not next to each other.
    """
    found = []
    start = 0
    for d in range(count):
        stop = start + sum(device == d for device in devices)
        if any(device != d for device in devices[start:stop]):
            raise ValueError(f"blocks of device {d} are not next to each other")
        found.append((start, stop))
        start = stop
    if start != len(devices):
        raise ValueError("some blocks are on no device")
    return found
