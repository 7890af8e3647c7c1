"""How a space lives: building all and building on, swapping under fire, the tail, the self-check, filtered queries.

``python -m benchmarks.live [FEATURES]`` fills a data folder of its own with synthetic features of the color space,
and writes benchmarks/results/live.md. Another process builds; the worst latency is that of the thread that asks.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import live_swap
from benchmarks.live_api import COLUMNS, bench_api
from benchmarks.live_space import SPACE, K, Row, put, seconds
from benchmarks.speed import synthetic, table

RESULTS = Path(__file__).parent / "results" / "live.md"
NEW = 1_000
TIMES = 3
TAIL = 10_000


def median_ms(call: Callable[[], object], times: int = 31) -> float:
    call()
    return 1000 * float(np.median([seconds(call) for _ in range(times)]))


def bench_build(rows: np.ndarray[Any, Any]) -> list[Row]:
    from search.snapshots import build

    count = len(rows) - TIMES * NEW
    put(np.arange(count), rows[:count])
    everything = seconds(lambda: build.build(SPACE))
    more = []
    for start in range(count, len(rows), NEW):
        put(np.arange(start, start + NEW), rows[start : start + NEW])
        more.append(seconds(lambda: build.build(SPACE)))
    usual = float(np.median(more))
    return [
        (f"all {count:,}", f"{everything:.1f}", "100 %"),
        (f"{NEW:,} new among {count:,}", f"{usual:.2f}", f"{100 * usual / everything:.1f} %"),
    ]


def bench_tail(rows: np.ndarray[Any, Any], query: np.ndarray[Any, Any]) -> list[Row]:
    from search.features.versions import state_of
    from search.retrieval.live import view_of

    view = view_of(state_of(SPACE))
    put(np.arange(2 * 10**6, 2 * 10**6 + TAIL), rows[:TAIL])
    many = seconds(lambda: view_of(state_of(SPACE)))
    after = view_of(state_of(SPACE))
    one = []
    for i in range(15):
        put(np.array([3 * 10**6 + i]), rows[i : i + 1])
        one.append(1000 * seconds(lambda: view_of(state_of(SPACE))))
    return [
        (f"taking in {TAIL:,} changes", f"{1000 * many:.0f}"),
        (f"taking in 1 change, {TAIL:,} rows in the tail", f"{np.median(one):.1f}"),
        ("noticing that nothing changed", f"{median_ms(lambda: view_of(state_of(SPACE))):.2f}"),
        (f"scanning a tail of {len(after.tail):,}", f"{median_ms(lambda: after.tail.search(query, K)):.2f}"),
        ("the whole search, tail empty", f"{median_ms(lambda: view.search(query, K)):.2f}"),
        (f"the whole search, {len(after.tail):,} rows in the tail", f"{median_ms(lambda: after.search(query, K)):.2f}"),
    ]


def bench_allowed(queries: np.ndarray[Any, Any]) -> list[Row]:
    """Of the index as it is loaded; recall against an exact scan of what is allowed."""

    index = loaded_index()
    keys, features = stored_rows()
    dice, found = np.random.default_rng(3), list[Row]()
    for share in (0.001, 0.01, 0.1, 0.5, 1.0):
        allowed = np.sort(dice.choice(keys, int(share * len(keys)), replace=False))
        some = features[np.searchsorted(keys, allowed)]
        asked = None if share == 1 else allowed
        hits, times = [], []
        for query in queries[:100]:
            right = np.sort(((some - query) ** 2).sum(axis=1))[:K]
            times.append(seconds(partial(index.search, query, K, asked)))
            hits.append(np.mean(index.search(query, K, asked).distances ** 2 <= right[-1] + 1e-4))
        found.append((f"{share:.1%}", f"{len(allowed):,}", f"{1000 * np.median(times):.2f}", f"{np.mean(hits):.3f}"))
    return found


def loaded_index() -> Any:
    """The index of the newest snapshot, as a process that starts would load it."""
    from search.features.versions import state_of
    from search.snapshots.loading import newest_index

    state = state_of(SPACE)
    return newest_index(state, state.serving).index


def stored_rows() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    from search.features.versions import state_of
    from search.retrieval.recall_check import chunks

    parts = list(chunks(state_of(SPACE)))
    return np.concatenate([keys for keys, _ in parts]), np.concatenate([rows for _, rows in parts])


def thawed(index: Any) -> Any:
    """hnswlib's own graph, of which the labels are the keys here."""
    return index._thawed()._graph


def bench_bare(queries: np.ndarray[Any, Any]) -> list[Row]:
    """Grown by hnswlib, loaded from a snapshot, and hnswlib itself, in turns on the same graph."""

    loaded, grown = loaded_index(), loaded_index()
    bare = thawed(grown)
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
            times[name].append(seconds(partial(call, query)))
    medians = {name: 1000 * float(np.median(taken)) for name, taken in times.items()}
    peer = medians["hnswlib.knn_query"]
    return [(name, f"{taken:.3f}", f"{taken / peer:.2f}") for name, taken in medians.items()]


def bench_check() -> list[Row]:
    from search.retrieval import recall_check

    started = time.perf_counter()
    checked = recall_check.check(SPACE)
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
            "## The HTTP API beside hnswlib, milliseconds a request\n\nFrom gunicorn with one process, started as "
            "`manage.py serve` does, over a connection that stays open.",
            table(COLUMNS, bench_api(rows, thawed(loaded_index()))),
            "## Allowed keys only",
            table(("share", "keys", "ms", "recall@10"), bench_allowed(queries)),
            "## Swapping to a new snapshot while a thread asks, milliseconds\n\nNet: less the time in which the thread "
            "was ready to run and other programs had all processors.",
            table(live_swap.HEAD, live_swap.bench_swap(rows, queries)),
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
