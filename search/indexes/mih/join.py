"""Joins many queries with all rows at once, over the tables of multi-index hashing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from search.indexes.mih.index import recent
from search.indexes.mih.search import all_within
from search.indexes.mih.tables import ROWS, TABLES, Rows, Tables, cut, with_rows, without_rows
from search.kernels.compiled import KEYS, Int, entry, types
from search.types import Features, Keys

THREADS = 2
# The tables are cut as for so many rows: values of so many bits leave fewer candidates, which pays when
# thousands of queries come at once.
CUT_FOR = 1 << 18

QUERIES = types.Array(types.uint64, 3, "C")


class Near(NamedTuple):
    """Which query is near which row, and in how many bits they differ; three arrays of one length."""

    queries: Keys
    rows: Keys
    distances: Keys


class HammingJoin:
    """Rows of packed bits, ``(n, words)`` uint64, to be joined with others or with themselves."""

    def __init__(self, rows: Features) -> None:
        dimension = rows.shape[1]
        tables = without_rows(cut(CUT_FOR, dimension), dimension)
        self._tables = with_rows(tables, np.arange(len(rows)), rows)
        self._unmerged = recent(np.empty(0, np.int64), np.empty((0, dimension), np.uint64))

    def near(self, queries: Features, radius: int, most: int) -> Near:
        """The rows within the radius of each of ``(m, forms, words)`` queries, at most ``most`` for a form.

        A row that is near several forms of a query comes several times.
        """
        queries = np.ascontiguousarray(queries)
        size = max(1, -(-len(queries) // THREADS))
        starts = range(0, len(queries), size)

        def part(start: int) -> Near:
            numbers, rows, apart = join(self._tables, self._unmerged, queries[start : start + size], radius, most)
            return Near(numbers + start, rows, apart)

        with ThreadPoolExecutor(THREADS) as pool:
            parts = [Near(*(np.empty(0, np.int64),) * 3), *pool.map(part, starts)]
        return Near(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


@entry(types.Tuple([KEYS, KEYS, KEYS])(TABLES, ROWS, QUERIES, types.int64, types.int64))
def join(tables: Tables, unmerged: Rows, queries: Any, radius: Int, most: Int) -> tuple[Any, Any, Any]:
    """Numbers of queries, of rows near one of their forms, and how far; ``most`` for a form."""
    everything = np.empty(0, np.int64)
    numbers, rows, apart = np.empty(64, np.int64), np.empty(64, np.int64), np.empty(64, np.int64)
    size = 0
    for query in range(len(queries)):
        for form in range(queries.shape[1]):
            near, distances, count = all_within(tables, unmerged, queries[query, form], radius, everything)
            for i in range(min(count, most)):
                if size == len(numbers):
                    numbers, rows, apart = np.append(numbers, numbers), np.append(rows, rows), np.append(apart, apart)
                numbers[size], rows[size], apart[size] = query, near[i], np.int64(distances[i])
                size += 1
    return numbers[:size], rows[:size], apart[:size]
