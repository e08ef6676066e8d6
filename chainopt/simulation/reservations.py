"""Cache slots that jobs hold, or are known to hold later, at each server; first come, first served.

A job is entered at a server with its start and its departure, which are both known when it arrives. Since the jobs of
a server start in the order in which they came, the next one starts at or after the last start so far, and from then on
all jobs before it have their slots: what is free only grows, at their departures. So a server keeps its jobs in a list
by departure, and remembers where in it the last start lies. A new job departs late, so its place is found from the end.

The entries of all servers share one pool, of which as much is in use as there are jobs at servers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from chainopt.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

S = TypeVar("S", bound=np.generic)

NONE = -1


class Reservations(NamedTuple):
    """The entries of each server in two lists, by departure and in order of arrival.

    Attributes
    ----------
    free_now
        Slots that no job that has started holds, shape (J,).
    free_next
        Slots that are free for the next job as soon as it may start, shape (J,).
    last_start
        When the last job starts, shape (J,).
    wake
        When `free_now` is out of date, shape (J,).
    first, last
        First and last entry by departure, shape (J,).
    next_release
        First entry that departs after the next job may start, shape (J,).
    next_start, newest
        First entry in order of arrival that has not started, and the last one, shape (J,).
    start, departure, slots
        Of each entry, shape (N,).
    later, earlier
        Its neighbours by departure, shape (N,).
    follower
        The entry that came to the server after it, shape (N,).
    unused, unused_count
        Places in the pool without an entry, a stack of shape (N,), and how many there are, shape (1,).
    """

    free_now: NDArray[np.int64]
    free_next: NDArray[np.int64]
    last_start: NDArray[np.float64]
    wake: NDArray[np.float64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    next_release: NDArray[np.int64]
    next_start: NDArray[np.int64]
    newest: NDArray[np.int64]
    start: NDArray[np.float64]
    departure: NDArray[np.float64]
    slots: NDArray[np.int64]
    later: NDArray[np.int64]
    earlier: NDArray[np.int64]
    follower: NDArray[np.int64]
    unused: NDArray[np.int64]
    unused_count: NDArray[np.int64]


def no_reservations(slots: NDArray[np.int64], room: int) -> Reservations:
    """Servers with so many slots, all of them free, and a pool with room for so many entries."""
    servers = slots.size
    return Reservations(
        free_now=slots.copy(),
        free_next=slots.copy(),
        last_start=np.full(servers, -np.inf),
        wake=np.full(servers, np.inf),
        first=np.full(servers, NONE),
        last=np.full(servers, NONE),
        next_release=np.full(servers, NONE),
        next_start=np.full(servers, NONE),
        newest=np.full(servers, NONE),
        start=np.zeros(room),
        departure=np.zeros(room),
        slots=np.zeros(room, dtype=np.int64),
        later=np.zeros(room, dtype=np.int64),
        earlier=np.zeros(room, dtype=np.int64),
        follower=np.zeros(room, dtype=np.int64),
        unused=np.arange(room - 1, -1, -1),
        unused_count=np.array([room]),
    )


def with_more_room(reservations: Reservations) -> Reservations:
    """The same in a pool twice as large."""
    room = reservations.unused.size
    unused = np.zeros(2 * room, dtype=np.int64)
    unused[:room] = np.arange(2 * room - 1, room - 1, -1)
    count = int(reservations.unused_count[0])
    unused[room : room + count] = reservations.unused[:count]
    return reservations._replace(
        start=_doubled(reservations.start),
        departure=_doubled(reservations.departure),
        slots=_doubled(reservations.slots),
        later=_doubled(reservations.later),
        earlier=_doubled(reservations.earlier),
        follower=_doubled(reservations.follower),
        unused=unused,
        unused_count=np.array([room + count]),
    )


def _doubled(array: NDArray[S]) -> NDArray[S]:
    return np.concatenate([array, np.zeros_like(array)])


@kernel
def advance(r: Reservations, j: int, now: float) -> None:
    """Let the jobs of server j that start by now start, and those that depart by now depart."""
    start, departure, slots, later, unused = r.start, r.departure, r.slots, r.later, r.unused
    free = r.free_now[j]
    entry = r.next_start[j]
    while entry != NONE and start[entry] <= now:
        free -= slots[entry]
        entry = r.follower[entry]
    r.next_start[j] = entry
    wake = np.inf if entry == NONE else start[entry]

    _release(j, max(now, r.last_start[j]), r.next_release, r.free_next, departure, slots, later)
    count = r.unused_count[0]
    entry = r.first[j]
    while entry != NONE and departure[entry] <= now:
        free += slots[entry]
        unused[count] = entry
        count += 1
        entry = later[entry]
    r.unused_count[0] = count
    r.first[j] = entry
    if entry == NONE:
        r.last[j] = NONE
    else:
        r.earlier[entry] = NONE
        wake = min(wake, departure[entry])
    r.free_now[j] = free
    r.wake[j] = wake


@kernel
def earliest_start(r: Reservations, j: int, slots: int, now: float) -> float:
    """When a job that comes to server j now, after all others, can have so many slots there.

    The server has at least so many.
    """
    start: float = max(now, r.last_start[j])
    free = r.free_next[j]
    entry = r.next_release[j]
    while free < slots:
        start = r.departure[entry]
        free += r.slots[entry]
        entry = r.later[entry]
    return start


@kernel
def reserve(r: Reservations, j: int, slots: int, start: float, departure: float) -> None:
    """Enter a job at server j, which starts there no earlier than `earliest_start` says."""
    departures, earlier, later = r.departure, r.earlier, r.later
    count = r.unused_count[0] - 1
    r.unused_count[0] = count
    entry = r.unused[count]
    r.start[entry], departures[entry], r.slots[entry], r.follower[entry] = start, departure, slots, NONE
    if r.next_start[j] == NONE:
        r.next_start[j] = entry
    else:
        r.follower[r.newest[j]] = entry
    r.newest[j] = entry

    before, after = r.last[j], NONE
    while before != NONE and departures[before] > departure:
        before, after = earlier[before], before
    earlier[entry], later[entry] = before, after
    if before == NONE:
        r.first[j] = entry
    else:
        later[before] = entry
    if after == NONE:
        r.last[j] = entry
    else:
        earlier[after] = entry

    r.last_start[j] = start
    r.free_next[j] -= slots
    if r.next_release[j] == after:
        r.next_release[j] = entry
    _release(j, start, r.next_release, r.free_next, departures, r.slots, later)
    r.wake[j] = min(r.wake[j], start)


@kernel
def _release(
    j: int,
    time: float,
    next_release: NDArray[np.int64],
    free_next: NDArray[np.int64],
    departure: NDArray[np.float64],
    slots: NDArray[np.int64],
    later: NDArray[np.int64],
) -> None:
    """Count as free for the next job at server j what is free at this time, before which it cannot start."""
    free, entry = free_next[j], next_release[j]
    while entry != NONE and departure[entry] <= time:
        free += slots[entry]
        entry = later[entry]
    free_next[j], next_release[j] = free, entry
