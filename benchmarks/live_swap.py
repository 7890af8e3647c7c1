"""The worst latency while a process swaps to a new snapshot."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.live_space import SPACE, K, Row, Rows, build_elsewhere, put

SWAPS = 8
SETTLED = 100  # queries, after the first of a thread and after the first of a snapshot
COLUMNS = ("usual p99", "usual worst", "worst in the swap", "in the swap / p99")
HEAD = ("swap", "took", *COLUMNS, *(f"net {name}" for name in COLUMNS))


def waited_ms() -> float:
    """How long this thread was ready to run so far, but other programs had all processors; 0 where none can tell."""
    path = Path("/proc/thread-self/schedstat")
    return int(path.read_text().split()[1]) / 1e6 if path.exists() else 0.0


@contextmanager
def asking(queries: Rows) -> Iterator[list[tuple[int | None, float, float]]]:
    """A thread that asks all the time; gives a list of (snapshot, milliseconds, of these without a processor)."""
    from django.db import connection

    from search.features.versions import state_of
    from search.retrieval.live import view_of

    stop = threading.Event()
    times: list[tuple[int | None, float, float]] = []

    def ask() -> None:
        connection.ensure_connection()
        i = 0
        while not stop.is_set():
            idle, started = waited_ms(), time.perf_counter()
            view = view_of(state_of(SPACE))
            view.search(queries[i % len(queries)], K)
            times.append((view.snapshot_id, 1000 * (time.perf_counter() - started), waited_ms() - idle))
            i += 1
        connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield times
    finally:
        stop.set()
        thread.join()


def bench_swap(rows: Rows, queries: Rows) -> list[Row]:
    """A swap lasts from a build's last step, the naming of the snapshot, to some queries after the first that saw it.

    The thread asks before that, too: the first queries of a thread find the processor's caches cold, swap or not.
    """
    from search.features.versions import state_of
    from search.models import Space
    from search.retrieval.live import view_of

    found, named = [], Space.objects.filter(pk=SPACE)
    view_of(state_of(SPACE))
    for turn in range(SWAPS):
        put(np.array([10**6 + turn]), rows[turn : turn + 1])
        view_of(state_of(SPACE))  # what the change itself costs is measured below
        old = named.get().snapshot_id
        build_elsewhere()
        new = named.get().snapshot_id
        named.update(snapshot=old)
        with asking(queries) as times:
            time.sleep(2)
            start = len(times)
            named.update(snapshot=new)
            time.sleep(2)
        seen = next(i for i, one in enumerate(times) if one[0] == new)
        usual = np.array([one[1:] for one in times[SETTLED:start] + times[seen + SETTLED :]])
        during = np.array([one[1:] for one in times[start : seen + SETTLED]])
        found.append([str(turn + 1), f"{during[:-SETTLED, 0].sum():.0f}", *compared(usual[:, 0], during[:, 0])])
        found[-1] += compared(usual[:, 0] - usual[:, 1], during[:, 0] - during[:, 1])
    return [tuple(one) for one in found]


def compared(usual: Rows, during: Rows) -> list[str]:
    p99 = float(np.percentile(usual, 99))
    return [*(f"{value:.2f}" for value in (p99, usual.max(), during.max())), f"{during.max() / p99:.1f}"]
