"""How a space lives: building all and building on, swapping under fire, the tail, the self-check, filtered queries.

``python -m benchmarks.live [FEATURES]`` fills a data folder of its own with synthetic features of the color space,
and writes benchmarks/results/live.md. Another process builds; the worst latency is that of the thread that asks.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed import synthetic, table

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).parent / "results" / "live.md"
SPACE = "color"
NEW = 1_000
TIMES = 3
TAIL = 10_000
SWAPS = 8
K = 10
Row = tuple[str, ...]
SWAP_COLUMNS = ("usual p99", "usual worst", "worst in the swap", "in the swap / p99")


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def median_ms(call: Callable[[], object], times: int = 31) -> float:
    call()
    return 1000 * float(np.median([seconds(call) for _ in range(times)]))


def put(keys: np.ndarray[Any, Any], rows: np.ndarray[Any, Any]) -> None:
    """Store features as the program does, without pictures."""
    from django.db import transaction

    from search.methods import get_method
    from search.methods.color import STEPS
    from search.models import Feature, Space

    Space.objects.get_or_create(pk=SPACE)
    stored = np.clip(np.rint(rows * STEPS), -127, 127).astype(np.int8)
    with transaction.atomic():
        space = Space.objects.select_for_update().get(pk=SPACE)
        first, version = space.head + 1, get_method(SPACE).version
        space.advance(len(keys))
        Feature.objects.bulk_create(
            [
                Feature(space=space, version=version, image_id=key, data=row.tobytes(), sequence=first + i)
                for i, (key, row) in enumerate(zip(keys.tolist(), stored, strict=True))
            ],
            batch_size=2_000,
        )


def build_elsewhere() -> None:
    """In another process, as the workers do."""
    command = [sys.executable, "manage.py", "build_index", "--space", SPACE]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def waited_ms() -> float:
    """How long this thread was ready to run so far, but other programs had all processors; 0 where none can tell."""
    path = Path("/proc/thread-self/schedstat")
    return int(path.read_text().split()[1]) / 1e6 if path.exists() else 0.0


@contextmanager
def asking(queries: np.ndarray[Any, Any]) -> Iterator[list[tuple[int, float, float]]]:
    """A thread that asks all the time; gives a list of (snapshot, milliseconds, of these without a processor)."""
    from django.db import connection

    from search.live import live

    stop, times = threading.Event(), []

    def ask() -> None:
        connection.ensure_connection()
        i = 0
        while not stop.is_set():
            idle, started = waited_ms(), time.perf_counter()
            view = live(SPACE).view()
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


def bench_build(rows: np.ndarray[Any, Any]) -> list[Row]:
    from search import snapshots

    count = len(rows) - TIMES * NEW
    put(np.arange(count), rows[:count])
    everything = seconds(lambda: snapshots.build(SPACE))
    more = []
    for start in range(count, len(rows), NEW):
        put(np.arange(start, start + NEW), rows[start : start + NEW])
        more.append(seconds(lambda: snapshots.build(SPACE)))
    usual = float(np.median(more))
    return [
        (f"all {count:,}", f"{everything:.1f}", "100 %"),
        (f"{NEW:,} new among {count:,}", f"{usual:.2f}", f"{100 * usual / everything:.1f} %"),
    ]


def bench_swap(rows: np.ndarray[Any, Any], queries: np.ndarray[Any, Any]) -> list[Row]:
    """A swap lasts from the first query that could have seen the new snapshot to some after the first that did."""
    from search.live import live

    found = []
    live(SPACE).view()
    for turn in range(SWAPS):
        put(np.array([10**6 + turn]), rows[turn : turn + 1])
        live(SPACE).view()  # what the change itself costs is measured below
        build_elsewhere()
        with asking(queries) as times:
            time.sleep(4)
        before = next(i for i, one in enumerate(times) if one[0] == times[-1][0])
        usual = np.array([one[1:] for one in times[before + 100 :]])
        during = np.array([one[1:] for one in times[: before + 100]])
        found.append([str(turn + 1), f"{during[:before, 0].sum():.0f}", *compared(usual[:, 0], during[:, 0])])
        found[-1] += compared(usual[:, 0] - usual[:, 1], during[:, 0] - during[:, 1])
    return [tuple(one) for one in found]


def compared(usual: np.ndarray[Any, Any], during: np.ndarray[Any, Any]) -> list[str]:
    p99 = float(np.percentile(usual, 99))
    return [*(f"{value:.2f}" for value in (p99, usual.max(), during.max())), f"{during.max() / p99:.1f}"]


def bench_tail(rows: np.ndarray[Any, Any], query: np.ndarray[Any, Any]) -> list[Row]:
    from search.live import live

    view = live(SPACE).view()
    put(np.arange(2 * 10**6, 2 * 10**6 + TAIL), rows[:TAIL])
    many = seconds(lambda: live(SPACE).view())
    after = live(SPACE).view()
    one = []
    for i in range(15):
        put(np.array([3 * 10**6 + i]), rows[i : i + 1])
        one.append(1000 * seconds(lambda: live(SPACE).view()))
    return [
        (f"taking in {TAIL:,} changes", f"{1000 * many:.0f}"),
        (f"taking in 1 change, {TAIL:,} rows in the tail", f"{np.median(one):.1f}"),
        ("noticing that nothing changed", f"{median_ms(lambda: live(SPACE).view()):.2f}"),
        (f"scanning a tail of {len(after.tail):,}", f"{median_ms(lambda: after.tail.search(query, K)):.2f}"),
        ("the whole search, tail empty", f"{median_ms(lambda: view.search(query, K)):.2f}"),
        (f"the whole search, {len(after.tail):,} rows in the tail", f"{median_ms(lambda: after.search(query, K)):.2f}"),
    ]


def bench_allowed(queries: np.ndarray[Any, Any]) -> list[Row]:
    """Of the index as it is loaded; recall against an exact scan of what is allowed."""
    from search import snapshots
    from search.methods import get_method

    index = snapshots.newest_index(SPACE)[0]
    keys, features = stored_rows(get_method(SPACE))
    dice, found = np.random.default_rng(3), []
    for share in (0.001, 0.01, 0.1, 0.5, 1.0):
        allowed = np.sort(dice.choice(keys, int(share * len(keys)), replace=False))
        some = features[np.searchsorted(keys, allowed)]
        asked = None if share == 1 else allowed
        hits, times = [], []
        for query in queries[:100]:
            right = np.sort(((some - query) ** 2).sum(axis=1))[:K]
            times.append(seconds(lambda query=query, asked=asked: index.search(query, K, asked)))
            hits.append(np.mean(index.search(query, K, asked).distances ** 2 <= right[-1] + 1e-4))
        found.append((f"{share:.1%}", f"{len(allowed):,}", f"{1000 * np.median(times):.2f}", f"{np.mean(hits):.3f}"))
    return found


def stored_rows(method: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    from search.selfcheck import chunks

    parts = list(chunks(SPACE))
    return np.concatenate([keys for keys, _ in parts]), np.concatenate([rows for _, rows in parts])


def bench_bare(queries: np.ndarray[Any, Any]) -> list[Row]:
    """Grown by hnswlib, loaded from a snapshot, and hnswlib itself, in turns on the same graph."""
    from search import snapshots
    from search.indexes.hnsw import HNSWIndex

    loaded, grown = snapshots.newest_index(SPACE)[0], snapshots.newest_index(SPACE)[0]
    assert isinstance(grown, HNSWIndex)
    bare = grown._thawed()._graph
    calls: dict[str, Callable[[Any], object]] = {
        "hnswlib.knn_query": lambda query: bare.knn_query(query, k=K, num_threads=1),
        "index, grown": lambda query: grown.search(query, K),
        "index, loaded": lambda query: loaded.search(query, K),
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    for i in range(len(queries)):
        for j, (name, call) in enumerate(calls.items()):
            # Each asks something else, or the second would find the memory that it needs in the processor's cache.
            query = queries[(i + j * len(queries) // 3) % len(queries)]
            times[name].append(seconds(lambda query=query, call=call: call(query)))
    medians = {name: 1000 * float(np.median(taken)) for name, taken in times.items()}
    peer = medians["hnswlib.knn_query"]
    return [(name, f"{taken:.3f}", f"{taken / peer:.2f}") for name, taken in medians.items()]


def bench_check() -> list[Row]:
    from search import selfcheck

    started = time.perf_counter()
    checked = selfcheck.check(SPACE)
    took = time.perf_counter() - started
    latency = [f"{value:.2f}" for value in (checked.p50, checked.p95, checked.p99)]
    return [(f"{checked.recall:.3f}", *latency, str(checked.missing), str(checked.orphaned), f"{took:.1f}")]


def report(count: int) -> str:
    dice = np.random.default_rng(7)
    rows = synthetic(SPACE, count + TIMES * NEW, dice)
    noise = dice.normal(0, 0.02, (500, rows.shape[1])).astype(np.float32)
    queries = (rows[dice.integers(0, count, 500)] + noise).astype(np.float32)
    return "\n\n".join(
        [
            "# Live indexes",
            f"Made by `python -m benchmarks.live` on {count:,} synthetic features of the color space (256 numbers, "
            f"HNSW), {os.cpu_count()} shared cores; medians where nothing else is said.",
            "## Building",
            table(("what", "seconds", "share"), bench_build(rows)),
            "## Beside hnswlib, milliseconds a query",
            table(("what", "ms", "ratio"), bench_bare(queries)),
            "## Allowed keys only",
            table(("share", "keys", "ms", "recall@10"), bench_allowed(queries)),
            "## Swapping to a new snapshot while a thread asks, milliseconds\n\nNet: less the time in which the thread "
            "was ready to run and other programs had all processors.",
            table(
                ("swap", "took", *SWAP_COLUMNS, *(f"net {name}" for name in SWAP_COLUMNS)),
                bench_swap(rows, queries),
            ),
            "## The tail, milliseconds",
            table(("what", "ms"), bench_tail(rows, queries[0])),
            "## `manage.py check_index`, 200 searches",
            table(("recall@10", "p50 ms", "p95 ms", "p99 ms", "missing", "orphaned", "seconds"), bench_check()),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("features", nargs="?", type=int, default=100_000)
    count = parser.parse_args().features
    with tempfile.TemporaryDirectory() as data:
        os.environ |= {"IMAGESITE_DATA": data, "DJANGO_SETTINGS_MODULE": "imagesite.settings"}
        os.environ |= {"CELERY_BROKER_URL": "memory://", "LOG_LEVEL": "WARNING"}
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        text = report(count)
    print(text)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text + "\n")


if __name__ == "__main__":
    main()
