"""As few job servers as a rate takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from chainopt.quantity import RELATIVE_TOLERANCE

if TYPE_CHECKING:
    from chainopt.model.composition import Composition


def fewest_job_servers(composition: Composition, rate: float) -> Composition | None:
    """The fastest job servers of a composition up to a total service rate; None where all of them fall short.

    Job servers of other chains are dropped. For given chains and capacities no choice needs fewer.
    """
    kept: list[int] = []
    capacities: list[int] = []
    missing = rate * (1 - RELATIVE_TOLERANCE)
    for k in np.argsort(composition.service_times_s, kind="stable").tolist():
        if missing <= 0:
            break
        time = float(composition.service_times_s[k])
        capacity = min(int(composition.capacities[k]), max(1, math.ceil(missing * time)))
        missing -= capacity / time
        kept.append(k)
        capacities.append(capacity)
    if missing > 0:
        return None
    return composition.select(kept, np.array(capacities, dtype=np.int64))
