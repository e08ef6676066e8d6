"""Runs one after another, in several processes, or on a Dask cluster; whoever asks gets the records as they come.

Workers only compute. What writes, and what decides, is the process that the user started.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Self

from chainopt.bench.measure import failed, measure, record
from chainopt.errors import ChainoptError
from chainopt.version import __version__

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from types import FrameType

    from chainopt.bench.runs import Run

    Records = Generator[dict[str, Any], None, None]

_LOOK_S = 0.1
_CONNECT_S = 20.0
_MOST_BREAKS = 5


class Interruption:
    """Ctrl-C or SIGTERM, noticed: a context manager.

    The first one ends a run that is made in this process and lets workers be; a second one ends everything.

    Attributes
    ----------
    signal
        Its number, None until it comes.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._measuring = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._come)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _come(self, number: int, frame: FrameType | None) -> None:
        again, self.signal = self.signal is not None, number
        if self._measuring or again:
            raise KeyboardInterrupt

    def measure(self, run: Run) -> dict[str, Any] | None:
        """The record of a run, None if it was interrupted, whatever the method made of that."""
        self._measuring = True
        try:
            found = measure(run)
        except KeyboardInterrupt:
            if self.signal is None:
                raise
            return None
        finally:
            self._measuring = False
        return None if self.signal is not None else found


def execute(runs: Sequence[Run], interruption: Interruption, *, workers: int = 1, dask: str | None = None) -> Records:
    """Make all runs, until an interruption.

    Parameters
    ----------
    workers
        Processes on this machine; 1 is this one.
    dask
        Address of a Dask scheduler, whose workers compute instead.

    Yields
    ------
    dict
        The record of each run, in the order in which they end.

    Raises
    ------
    ChainoptError
        If the Dask cluster cannot be used.
    """
    if dask is not None:
        return _on_dask(runs, interruption, dask)
    if workers > 1:
        return _in_processes(runs, interruption, workers)
    return _here(runs, interruption)


def _here(runs: Sequence[Run], interruption: Interruption) -> Records:
    for run in runs:
        if interruption.signal is not None:
            return
        found = interruption.measure(run)
        if found is not None:
            yield found


def _in_processes(runs: Sequence[Run], interruption: Interruption, workers: int) -> Records:
    """As many runs at once as there are workers.

    If a process dies, its pool is gone, and with it all runs that were under way. Each of these is then repeated alone,
    in a pool of one: the one that takes a process with it again has failed, the others are innocent.
    """
    waiting, suspects = deque(runs), deque(runs[:0])
    pool = _pool(min(workers, len(waiting)))
    running: dict[Any, Run] = {}
    alone, breaks = False, 0
    try:
        while (waiting or suspects or running) and interruption.signal is None:
            if not running and alone != bool(suspects):
                alone = not alone
                pool.shutdown(wait=True, kill_workers=True)
                pool = _pool(1 if alone else min(workers, len(waiting)))
            broken = not _submit(pool, running, suspects if alone else waiting, 1 if alone else workers)
            lost = []
            done = wait(running, timeout=None if broken else _LOOK_S, return_when=FIRST_COMPLETED).done
            while done:
                for future in done:
                    run, error = running.pop(future), future.exception()
                    if error is None:
                        breaks = 0
                        yield future.result()
                    elif isinstance(error, BrokenProcessPool):
                        lost.append(run)
                    else:  # it could not be sent there, or its record not back
                        yield record(run, failed(f"{type(error).__name__}: {error}"))
                done = wait(running).done if lost and running else set()
            if alone and lost:
                yield record(lost.pop(), failed("the process of this run died"))
                breaks, broken = 0, True
            if lost or broken:
                suspects.extend(lost)
                breaks += 1
                if breaks > _MOST_BREAKS:
                    raise ChainoptError("the worker processes die before they do anything")
                pool.shutdown(wait=True, kill_workers=True)
                pool = _pool(1 if alone else min(workers, len(waiting)))
        for future in [future for future in running if future.done() and future.exception() is None]:
            yield future.result()
    finally:
        pool.shutdown(wait=True, kill_workers=True)


def _submit(pool: Any, running: dict[Any, Run], source: deque[Run], most: int) -> bool:
    """Keep as many runs under way as there may be; False if the pool takes none, for a process of it has died."""
    while source and len(running) < most:
        try:
            running[pool.submit(measure, source[0])] = source[0]
        except BrokenProcessPool:
            return False
        source.popleft()
    return True


def _pool(workers: int) -> Any:
    from loky import ProcessPoolExecutor

    return ProcessPoolExecutor(max_workers=max(workers, 1), initializer=_begin, initargs=(os.getpid(),))


def _begin(parent: int) -> None:
    """In a worker: leave Ctrl-C to the process that the user started, and end when that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _on_dask(runs: Sequence[Run], interruption: Interruption, address: str) -> Records:
    """Twice as many runs at once as the cluster has threads; the scheduler repeats those whose worker dies."""
    with contextlib.closing(_client(address)) as client, _told_of(address):
        waiting = deque(runs)
        running: dict[Any, Run] = {}
        ended: SimpleQueue[Any] = SimpleQueue()
        most, looked = 0, -1.0
        while (waiting or running) and interruption.signal is None:
            if time.monotonic() - looked > 1:
                most, looked = 2 * max(1, sum(client.nthreads().values())), time.monotonic()
            while waiting and len(running) < most:
                run = waiting.popleft()
                future = client.submit(measure, run, key=f"chainopt-{run.key}-{time.time_ns()}", pure=False)
                running[future] = run
                future.add_done_callback(ended.put)
            try:
                future = ended.get(timeout=_LOOK_S)
            except Empty:
                continue
            yield _answer(future, running.pop(future))
        client.cancel(list(running))


@contextlib.contextmanager
def _told_of(address: str) -> Generator[None, None, None]:
    """Where the scheduler is lost, say so."""
    try:
        yield
    except OSError as error:
        raise ChainoptError(f"the Dask scheduler at {address} is lost: {error}") from error


def _client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise ChainoptError("--dask needs the package distributed: pip install 'chainopt[distributed]'") from None
    connect: Any = Client
    try:
        client = connect(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError, ImportError) as error:
        raise ChainoptError(f"no Dask scheduler answers at {address}: {error}") from None
    try:
        versions = client.run(_version)
    except Exception as error:
        client.close()
        raise ChainoptError(f"the Dask workers at {address} cannot run chainopt: {error}") from error
    for worker, version in versions.items():
        if version != __version__:
            client.close()
            raise ChainoptError(f"the Dask worker {worker} has chainopt {version}, this is {__version__}")
    return client


def _version() -> str:
    return __version__


def _answer(future: Any, run: Run) -> dict[str, Any]:
    """The record of a run, also where it killed one worker after the other."""
    from distributed import KilledWorker

    try:
        found: dict[str, Any] = future.result()
    except KilledWorker:
        return record(run, failed("the process of this run died, on one worker after the other"))
    except Exception as error:
        raise ChainoptError(f"Dask: {type(error).__name__}: {error}") from error
    return found
