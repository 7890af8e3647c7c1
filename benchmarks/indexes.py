"""Exact Hamming search and the overhead over bare HNSW, against peers: same machine, same run, one thread.

``python -m benchmarks.indexes`` prints the tables and writes benchmarks/results/indexes.md and indexes.png.
``--scale 0.01`` is a quick look at smaller collections; its targets mean nothing.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks import index_peers as peers
from benchmarks.index_peers import Contestant, Rows
from benchmarks.index_race import Line, Question, Race, planted, run
from benchmarks.index_report import Fact, write
from search.indexes import index_class
from search.indexes.base import Index
from search.indexes.hnsw.index import HNSWIndex

EXACT = {"vptree": "VP-tree (ours)", "mih": "MIH (ours)", "brute": "brute (ours)"}
PHOTOS = Path(__file__).parents[2] / "shared" / "data"
FLAT, HASHES = "faiss IndexBinaryFlat", "faiss IndexBinaryMultiHash"


def built(name: str, rows: Rows) -> Index:
    index = index_class(name)("hamming", rows.shape[1])
    index.add(np.arange(len(rows)), rows)
    return index


def ours(names: Sequence[str], rows: Rows, question: Question, most: int = 200) -> list[Contestant]:
    return [answering(EXACT[name], built(name, rows), question, most) for name in names]


def answering(title: str, index: Index, question: Question, most: int = 200) -> Contestant:
    if question.k is not None:
        k = question.k
        return Contestant(title, lambda row: index.search(row, k).keys, most)
    radius = question.radius or 0
    return Contestant(title, lambda row: index.within(row, radius).keys, most)


def narrow(count: int) -> Iterator[Race]:
    """64 bits: where a VP-tree prunes, where it cannot, and what multi-index hashing makes of it."""
    rows, asked = planted(count, 1, 4)
    flat = peers.flat(rows)
    near = Question(radius=4)
    contestants = [*ours(("vptree", "mih"), rows, near), peers.faiss_within(FLAT, flat, 4)]
    yield run("64 bits, radius 4", rows, asked, near, contestants, {FLAT: 3})
    nearest = Question(k=10)
    contestants = [*ours(("vptree", "mih"), rows, nearest), peers.plain_scan(rows, 10)]
    contestants.append(peers.faiss_nearest(FLAT, flat, 10))
    targets = {"plain popcount scan (numba)": 1 / 1.3}
    yield run("64 bits, 10 nearest", rows, asked, nearest, contestants, targets)
    wide = Question(radius=8)
    hashes = peers.multi_hash(rows, 4, 2)
    contestants = [*ours(("mih", "vptree"), rows, wide), peers.faiss_within(FLAT, flat, 8)]
    contestants.append(peers.faiss_within(HASHES, hashes, 8))
    yield run("64 bits, radius 8", rows, asked, wide, contestants, {FLAT: 40})


def broad(count: int) -> Iterator[Race]:
    """256 bits, radius 31."""
    rows, asked = planted(count, 4, 31)
    question = Question(radius=31)
    contestants = [
        *ours(("mih", "vptree"), rows, question),
        peers.faiss_within(FLAT, peers.flat(rows), 31),
        peers.faiss_within(HASHES, peers.multi_hash(rows, 16, 1), 31),
    ]
    yield run("256 bits, radius 31", rows, asked, question, contestants, {FLAT: 80, HASHES: 20})


def article(count: int, targets: bool) -> Iterator[Race]:
    """The article's collections of 256-bit hashes, with the pure Python trees that it tried."""
    rows, asked = planted(count, 4, 31, seed=count)
    flat, numbers = peers.flat(rows), peers.keys_by_number(rows)
    tree = peers.pypi_vptree(numbers)
    few = 10 if targets else 50
    copies, nearest = Question(radius=31), Question(k=10)
    contestants = [
        *ours(("vptree", "mih", "brute"), rows, copies),
        peers.faiss_within(FLAT, flat, 31),
        peers.pypi_vptree_within(tree, numbers, 31, few),
        peers.bk_tree_within(numbers, 31, few),
    ]
    wanted = {"vptree (PyPI)": 1000.0, "pybktree": 100.0} if targets else {}
    yield run("256 bits, radius 31", rows, asked, copies, contestants, wanted)
    contestants = [
        *ours(("vptree", "mih", "brute"), rows, nearest),
        peers.faiss_nearest(FLAT, flat, 10),
        peers.nmslib_vptree(rows, asked, 10, few),
        peers.pypi_vptree_nearest(tree, numbers, 10, few),
        peers.usearch_graph(rows, 10),
    ]
    wanted = {"vptree (PyPI)": 1000.0, "nmslib vptree": 1.0} if targets else {}
    yield run("256 bits, 10 nearest", rows, asked, nearest, contestants, wanted)


def growth(sizes: Sequence[int]) -> Iterator[Race]:
    for words, radius in ((4, 31), (1, 8)):
        for count in sizes:
            rows, asked = planted(count, words, radius, queries=100, seed=7)
            question = Question(radius=radius)
            contestants = ours(("mih",), rows, question)
            contestants.append(peers.faiss_within(FLAT, peers.flat(rows), radius, 50))
            yield run(f"{64 * words} bits, radius {radius}", rows, asked, question, contestants)


def choice(sizes: Sequence[int]) -> Iterator[Race]:
    """What the phash space would ask of each of the three, with copies among unrelated hashes and none."""
    for count in sizes:
        rows, asked = planted(count, 4, 31, queries=min(200, count // 5), seed=3)
        for question, title in ((Question(radius=31), "radius 31"), (Question(k=10), "10 nearest")):
            contestants = ours(("mih", "vptree", "brute"), rows, question, 50)
            yield run(f"256 bits, {title}", rows, asked, question, contestants)


def photographs() -> Iterator[Race]:
    """Hashes of real pictures, and their eight turns and mirrors as queries."""
    from PIL import Image

    from search.methods.phash import PerceptualHash

    method, stored = PerceptualHash(), []
    for path in sorted(PHOTOS.glob("*/**/*.jpg")):
        if "robust" not in path.parts:
            with Image.open(path) as picture:
                stored.append(method.extract(np.asarray(picture.convert("RGB"))))
    if not stored:
        return
    rows, asked = method.rows(stored), np.concatenate([method.queries(one) for one in stored[::80]])
    for question, title in ((Question(radius=31), "radius 31"), (Question(k=10), "10 nearest")):
        contestants = ours(("mih", "vptree", "brute"), rows, question)
        yield run(f"photographs in eight forms, {title}", rows, asked, question, contestants)


def changes(count: int) -> Iterator[Fact]:
    for name, words in (("vptree", 1), ("vptree", 4), ("mih", 1), ("mih", 4)):
        yield from changed(name, words, count)


def changed(name: str, words: int, count: int) -> Iterator[Fact]:
    """Building and changing: rates in batches, and the longest of many small calls."""
    rows = np.random.default_rng(1).integers(0, 2**64, (count + count // 5, words), dtype=np.uint64)
    keys, size, index = np.arange(len(rows)), count // 10, index_class(name)("hamming", words)
    aimed, label = name == "vptree" and words == 1, f"{EXACT[name]}, {count:,} x {64 * words} bits"
    first, more = slice(count), slice(count, count + size)
    seconds = timed(lambda: index.add(keys[first], rows[first]))
    yield Fact(f"{label}: build, s", seconds, 5.0 if aimed else None, at_most=True)
    extra = (memory(index) - rows[first].nbytes) / count
    yield Fact(f"{label}: bytes a row beside the hash", extra, 24.0 if aimed else None, at_most=True)
    rate = size / timed(lambda: index.remove(keys[:size]))
    yield Fact(f"{label}: removed a second, {size:,} at once", rate, 200_000.0)
    rate = size / timed(lambda: index.add(keys[more], rows[more]))
    yield Fact(f"{label}: added a second, {size:,} at once", rate, 200_000.0)
    times = list(small_calls(index, keys[count + size :], rows[count + size :]))
    yield Fact(f"{label}: 100 rows added or removed, median ms", 1000 * statistics.median(times))
    yield Fact(f"{label}: 100 rows added or removed, longest ms", 1000 * max(times))


def small_calls(index: Index, keys: NDArray[np.int64], rows: Rows) -> Iterator[float]:
    for start in range(0, len(keys), 100):
        part = slice(start, start + 100)
        yield timed(partial(index.add, keys[part], rows[part]))
    for start in range(0, len(keys), 100):
        yield timed(partial(index.remove, keys[start : start + 100]))


def timed(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def memory(index: Any) -> int:
    arrays = index._tree if hasattr(index, "_tree") else (*index._tables, *index._recent, index._order, index._sorted)
    return sum(array.nbytes for array in arrays)


def graph(count: int) -> Race:
    """Our HNSW index and the hnswlib graph inside it, asked directly: the same links, the same width."""
    random = np.random.default_rng(5)
    plane = random.standard_normal((24, 256)).astype(np.float32)
    rows = random.standard_normal((count, 24)).astype(np.float32) @ plane
    asked = random.standard_normal((200, 24)).astype(np.float32) @ plane
    index = HNSWIndex("euclidean", 256)
    index.add(np.arange(count), rows)
    bare = index._thawed()._graph
    contestants = [
        Contestant("bare hnswlib.knn_query", lambda row: bare.knn_query(row, k=10, num_threads=1)[0][0]),
        Contestant("HNSW (ours)", lambda row: index.search(row, 10).keys),
    ]
    found = run("256 floats, HNSW, 10 nearest", rows, asked, Question(k=10), contestants)
    ratio = found.lines[1].ratio
    line = Line(**{**vars(found.lines[1]), "target": 1.2, "at_most": True, "ratio": ratio})
    return Race(found.title, count, 256, [found.lines[0], line])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full sizes")
    parser.add_argument("--largest", type=int, default=16_000_000, help="where growth ends")
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    million, small, large = (int(size * arguments.scale) for size in (1_000_000, 4_319, 100_000))
    started = time.perf_counter()
    races = [*narrow(million), *broad(million), *article(max(small, 1000), False), *article(large, True)]
    facts = list(changes(million))
    graphs = [graph(large)]
    growing = list(growth([size for size in (million, 4 * million, 16 * million) if size <= arguments.largest]))
    choosing = [*choice([1000, large, million]), *photographs()]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    write(races, graphs, growing, choosing, facts, f"{machine}; {time.perf_counter() - started:.0f} s in all")


if __name__ == "__main__":
    main()
