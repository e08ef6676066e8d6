"""How long jobs take: linear in what a job demands, at each server, and along a chain.

A job brings D demands, and every hop takes `hop_s` seconds for each unit of a demand and `block_s` for each unit and
block. In the paper's model D = 1: the demand is the size of the job, of mean 1, hop_s = τ^c and block_s = τ^p [eq. 2].
With tokens D = 3, see `tokens`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.model.composition import Composition
    from chainopt.model.instance import Instance


@dataclass(frozen=True, eq=False)
class Pace:
    """Seconds for each unit of a demand.

    Attributes
    ----------
    hop_s
        Of a hop, whatever is processed there, shape (J, D).
    block_s
        Of each block that is processed, shape (J, D).
    """

    hop_s: NDArray[np.float64]
    block_s: NDArray[np.float64]

    def along(self, composition: Composition) -> NDArray[np.float64]:
        """Seconds that a job takes on each chain for each unit of a demand, shape (K, D)."""
        taken = self.hop_s[composition.hops] + self.block_s[composition.hops] * composition.hop_blocks[:, None]
        return np.add.reduceat(taken, composition.first[:-1], axis=0) if taken.size else taken[:0]


def pace_by_size(instance: Instance) -> Pace:
    """The pace of the paper's model, in which a job's size scales all of its times."""
    return Pace(
        np.array([[float(server.comm_s)] for server in instance.servers]),
        np.array([[float(server.comp_s_per_block)] for server in instance.servers]),
    )
