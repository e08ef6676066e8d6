"""What a server can contribute to a chain, wherever it stands: the position-free relaxation of the joint problem.

If a server that hosts m blocks runs y_n jobs that it processes n blocks of each, then y_n > 0 only for n <= m, and
Σ n y_n <= S_j(m) <= S_j(n), where S_j(m) = floor((M_j - s_m m) / s_c). So with w_j(n) = n / S_j(n)

    Σ_n w_j(n) y_n <= 1

holds for every placement. The relaxation keeps these rows and forgets positions: a chain is any choice of numbers
(n_j) with Σ n_j = L.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.model.instance import Instance


class Parts(NamedTuple):
    """The parts (j, n) that chains of the relaxation are made of, those of a server one after another.

    Attributes
    ----------
    first
        Parts of server j are `first[j]`, ..., `first[j + 1]` - 1, shape (J + 1,).
    server, blocks
        j and n of each part; those of a server are n = 1, 2, ... without a gap.
    time_s
        τ^c_j + τ^p_j n.
    slots
        S_j(n), cache slots beside n blocks; for a pinned server beside its pin.
    weight
        w_j(n), share of the server that one job takes.
    copies
        Servers that j stands for, shape (J,).
    total
        L.
    """

    first: NDArray[np.int64]
    server: NDArray[np.int64]
    blocks: NDArray[np.int64]
    time_s: NDArray[np.float64]
    slots: NDArray[np.int64]
    weight: NDArray[np.float64]
    copies: NDArray[np.int64]
    total: int


def parts_of(instance: Instance, copies: NDArray[np.int64] | None = None) -> Parts:
    """The parts of an instance: all n with S_j(n) >= n; a pinned server has the slots that its pin leaves.

    Parameters
    ----------
    copies
        How many servers each stands for, shape (J,); one if None.
    """
    memory, time = instance.memory, instance.time
    most = memory.sizes(1)
    server, blocks, slots = [], [], []
    for i, pin in enumerate(entry.pin for entry in instance.servers):
        size = most[i] if pin is None else pin.stop - pin.start
        n = np.arange(1, size + 1, dtype=np.int64)
        left = memory.slots(n if pin is None else np.full(n.size, size), np.full(n.size, i))
        server.append(np.full(n.size, i)[left >= n])
        blocks.append(n[left >= n])
        slots.append(left[left >= n])
    first = np.concatenate(([0], np.cumsum([n.size for n in blocks])))
    j, n = np.concatenate(server), np.concatenate(blocks)
    times = time.seconds(time.comm[j] + time.comp[j] * n)
    room = np.concatenate(slots)
    copies = np.ones(first.size - 1, dtype=np.int64) if copies is None else copies
    return Parts(first, j, n, times, room, n / room, copies, instance.service.blocks)
