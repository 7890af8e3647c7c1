"""The same questions to other people's indexes: each peer is a function from a query row to the keys it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import faiss
import nmslib
import numpy as np
import pybktree
import vptree
from numba import njit
from numpy.typing import NDArray
from usearch.index import Index as USearchIndex
from usearch.index import MetricKind, ScalarKind

from search.kernels.compiled import popcount

Rows = NDArray[np.uint64]
Keys = NDArray[np.int64]
Ask = Callable[[Rows], Any]


@dataclass(frozen=True)
class Contestant:
    """``ask(row)`` gives keys; ``most`` is how many queries there is time for."""

    name: str
    ask: Ask
    most: int = 200


def packed(rows: Rows) -> NDArray[np.uint8]:
    return rows.view(np.uint8).reshape(len(rows), -1)


def one(row: Rows) -> NDArray[np.uint8]:
    return row.view(np.uint8)[np.newaxis]


def flat(rows: Rows) -> faiss.IndexBinaryFlat:
    index = faiss.IndexBinaryFlat(64 * rows.shape[1])
    index.add(packed(rows))
    return index


def faiss_within(name: str, index: Any, radius: int, most: int = 200) -> Contestant:
    # Its radius is exclusive.
    return Contestant(name, lambda row: index.range_search(one(row), radius + 1)[2], most)


def faiss_nearest(name: str, index: Any, k: int, most: int = 200) -> Contestant:
    return Contestant(name, lambda row: index.search(one(row), k)[1][0], most)


def multi_hash(rows: Rows, tables: int, flips: int) -> faiss.IndexBinaryMultiHash:
    """16 bits a table; with so many flips it finds all within ``tables * (flips + 1) - 1``."""
    index = faiss.IndexBinaryMultiHash(64 * rows.shape[1], tables, 16)
    index.nflip = flips
    index.add(packed(rows))
    return index


def whole_number(row: Rows) -> int:
    return int.from_bytes(row.tobytes(), "little")


def apart(one: int, other: int) -> int:
    """The quickest Hamming distance that Python has."""
    return (one ^ other).bit_count()


def keys_by_number(rows: Rows) -> dict[int, int]:
    return {whole_number(row): key for key, row in enumerate(rows)}


def pypi_vptree(numbers: dict[int, int]) -> vptree.VPTree:
    return vptree.VPTree(list(numbers), apart)


def pypi_vptree_within(tree: vptree.VPTree, numbers: dict[int, int], radius: int, most: int) -> Contestant:
    def ask(row: Rows) -> list[int]:
        # It takes what is nearer than the radius, not what is as near.
        return [numbers[number] for _, number in tree.get_all_in_range(whole_number(row), radius + 0.5)]

    return Contestant("vptree (PyPI)", ask, most)


def pypi_vptree_nearest(tree: vptree.VPTree, numbers: dict[int, int], k: int, most: int) -> Contestant:
    def ask(row: Rows) -> list[int]:
        return [numbers[number] for _, number in tree.get_n_nearest_neighbors(whole_number(row), k)]

    return Contestant("vptree (PyPI)", ask, most)


def bk_tree_within(numbers: dict[int, int], radius: int, most: int) -> Contestant:
    tree = pybktree.BKTree(apart, list(numbers))

    def ask(row: Rows) -> list[int]:
        return [numbers[number] for _, number in tree.find(whole_number(row), radius)]

    return Contestant("pybktree", ask, most)


def nmslib_vptree(rows: Rows, asked: Rows, k: int, most: int) -> Contestant:
    """Its bits come as text; the text of queries is made beforehand, so that the tree alone is timed."""
    index = nmslib.init(
        method="vptree",
        space="bit_hamming",
        data_type=nmslib.DataType.OBJECT_AS_STRING,
        dtype=nmslib.DistType.INT,
    )
    index.addDataPointBatch([bits_as_text(row) for row in rows])
    index.createIndex({"bucketSize": "50"}, print_progress=False)
    texts = {row.tobytes(): bits_as_text(row) for row in asked}
    return Contestant("nmslib vptree", lambda row: index.knnQuery(texts[row.tobytes()], k=k)[0], most)


def bits_as_text(row: Rows) -> str:
    return " ".join(map(str, np.unpackbits(row.view(np.uint8))))


def usearch_graph(rows: Rows, k: int) -> Contestant:
    index = USearchIndex(ndim=64 * rows.shape[1], metric=MetricKind.Hamming, dtype=ScalarKind.B1)
    index.add(np.arange(len(rows)), packed(rows), threads=1)
    return Contestant("usearch (HNSW)", lambda row: index.search(row.view(np.uint8), k, threads=1).keys)


@njit(nogil=True)
def scan(rows: Rows, query: Rows, k: int) -> Keys:
    """The plain popcount scan: all distances, then the k smallest by counting."""
    distances = np.empty(len(rows), np.int16)
    for row in range(len(rows)):
        distances[row] = 0
        for word in range(len(query)):
            distances[row] += popcount(rows[row, word] ^ query[word])
    counts = np.zeros(64 * len(query) + 1, np.int64)
    for distance in distances:
        counts[distance] += 1
    limit, seen = 0, counts[0]
    while seen < k:
        limit += 1
        seen += counts[limit]
    return np.flatnonzero(distances <= limit)[:seen]


@njit(nogil=True)
def scan_one_word(rows: Rows, query: Rows, k: int) -> Keys:
    """``scan`` for rows of one word, with the k nearest so far kept sorted instead of all distances."""
    keys, nearest = np.empty(k, np.int64), np.full(k, 65, np.int64)
    first = query[0]
    for row in range(len(rows)):
        distance = popcount(rows[row, 0] ^ first)
        if distance < nearest[k - 1]:
            place = k - 1
            while place > 0 and nearest[place - 1] > distance:
                nearest[place], keys[place] = nearest[place - 1], keys[place - 1]
                place -= 1
            nearest[place], keys[place] = distance, row
    return keys


def plain_scan(rows: Rows, k: int) -> Contestant:
    kernel = scan_one_word if rows.shape[1] == 1 else scan
    return Contestant("plain popcount scan (numba)", lambda row: kernel(rows, row, k))
