"""The embedded indexes and Milvus side by side: what they find, how fast, and what they need.

``python -m benchmarks.milvus [ROWS]`` starts the server of PyPI's milvus and writes benchmarks/results/milvus.md.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.speed import synthetic, table
from search.indexes import index_class
from search.indexes.base import Index
from search.indexes.milvus.index import MilvusIndex
from search.indexes.milvus.server import ask
from search.types import Features, Keys, Matches
from tests.support.milvus_server import MilvusServer

RESULTS = Path(__file__).parent / "results" / "milvus.md"
K = 10
QUERIES = 300
STEP = 2_000
# As it comes, Milvus looks at an eighth of the rows that it has no graph of yet.
PROBES = {"queryNode.segcore.interimIndex.nprobe": 64}
SPACES = {"phash": ("hamming", "mih"), "color": ("euclidean", "hnsw")}


def milliseconds(calls: Sequence[Callable[[], object]]) -> tuple[float, float]:
    """p50 and p95."""
    calls[0]()
    took = []
    for call in calls:
        started = time.perf_counter()
        call()
        took.append(1000 * (time.perf_counter() - started))
    return float(np.percentile(took, 50)), float(np.percentile(took, 95))


def filled(name: str, metric: str, rows: Features) -> tuple[Index, float]:
    """An index and the seconds that filling took."""
    index = index_class(name)(metric, rows.shape[1])
    started = time.perf_counter()
    for start in range(0, len(rows), STEP):
        some = rows[start : start + STEP]
        index.add(np.arange(start, start + len(some)), some)
    return index, time.perf_counter() - started


def settled(index: MilvusIndex) -> float:
    """Seconds until Milvus has put all rows into its own indexes."""
    started, name = time.perf_counter(), str(index._filled().name)
    index._filled().settle()
    while ask("describe_index", name, "row")["pending_index_rows"] > 0:
        time.sleep(0.5)
    took = time.perf_counter() - started
    time.sleep(20)  # until the index has taken the place of the rows
    return took


def recall(index: Index, truth: Index, queries: Features, allowed: Keys | None = None) -> float:
    """Share of the true nearest, or of rows as near as the last of them, that is found."""

    def share(found: Matches, right: Matches) -> float:
        return float((found.distances[:K] <= right.distances[-1] + 1e-4).sum() / len(right))

    return float(
        np.mean([share(index.search(query, K, allowed), truth.search(query, K, allowed)) for query in queries])
    )


def lines(space: str, name: str, index: Index, truth: Index, queries: Features) -> list[tuple[str, ...]]:
    """One line for searches of all, one for searches among a tenth."""
    tenth = np.arange(0, len(truth), 10)
    found = []
    for label, allowed in (("all", None), (f"{len(tenth):,}", tenth)):
        p50, p95 = milliseconds([partial(index.search, query, K, allowed) for query in queries])
        right = recall(index, truth, queries[:100], allowed)
        found.append((space, name, label, f"{right:.4f}", f"{p50:.2f}", f"{p95:.2f}"))
    return found


def measure(space: str, count: int) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Searches, and what filling took."""
    metric, embedded = SPACES[space]
    rows = synthetic(space, count + QUERIES, np.random.default_rng(7))
    rows, queries = rows[:count], rows[count:]
    truth, _ = filled("brute", metric, rows)
    home, took_home = filled(embedded, metric, rows)
    away, took_away = filled("milvus", metric, rows)
    searches = lines(space, embedded, home, truth, queries)
    searches += lines(space, "milvus, as it was filled", away, truth, queries)
    assert isinstance(away, MilvusIndex)
    indexed = settled(away)
    searches += lines(space, "milvus, settled", away, truth, queries)
    return searches, [
        (space, embedded, f"{took_home:.1f}", ""),
        (space, "milvus", f"{took_away:.1f}", f"{indexed:.1f}"),
    ]


def resident(server: MilvusServer) -> int:
    """Megabytes of the server's process."""
    assert server.process is not None
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1_000_000


def report(count: int) -> str:
    server = MilvusServer(PROBES)
    try:
        with server.connected():
            empty = resident(server)
            both = [measure(space, count) for space in SPACES]
            full = resident(server)
    finally:
        server.stop()
    searches, fillings = ([line for one in both for line in one[part]] for part in (0, 1))
    return "\n\n".join(
        [
            "# Milvus beside the embedded indexes",
            f"Made by `python -m benchmarks.milvus` with {count:,} synthetic features of each space on "
            f"{os.cpu_count()} shared cores, one search at a time, server and client on one machine "
            f"(Milvus 2.3.5, standalone, interimIndex.nprobe 64). The {K} nearest; recall is against an exact scan, "
            "where rows as near as the last of them count.",
            "## Searches",
            table(("space", "index", "among", f"recall@{K}", "p50 ms", "p95 ms"), searches),
            "## Filling, seconds",
            table(("space", "index", "filled", "then settled"), fillings),
            f"The server had {empty} MB when it was empty, and {full} MB with both spaces. As it was filled: rows are "
            "in segments that still grow; Milvus seals and indexes them when they are large, or when it is told to.",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="?", type=int, default=100_000)
    text = report(parser.parse_args().rows)
    RESULTS.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
