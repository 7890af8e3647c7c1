"""Compiled kernels that scan the rows of multi-index hashing, all or those not yet in its tables."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from search.indexes.mih.tables import Rows
from search.kernels.compiled import Int, compiled
from search.kernels.growth import longer
from search.kernels.hamming import measure
from search.kernels.heap import among, offer

CHUNK = 512
Found: TypeAlias = tuple[Any, Any, Int]


@compiled
def appended(keys: Any, distances: Any, size: Int, key: Int, distance: Int) -> tuple[Any, Any, Int]:
    """The two lists with one more entry."""
    if size == len(keys):
        keys, distances = longer(keys, 2 * size), longer(distances, 2 * size)
    keys[size], distances[size] = key, distance
    return keys, distances, size + 1


@compiled
def by_scan(some: Rows, query: Any, radius: Int, allowed: Any, keys: Any, distances: Any, size: Int) -> Found:
    """Append keys and distances of the rows within the radius."""
    if len(some.rows) == 0:
        return keys, distances, size
    apart = np.empty(min(CHUNK, len(some.rows)), np.int64)
    for start in range(0, len(some.rows), CHUNK):
        apart = apart[: min(CHUNK, len(some.rows) - start)]
        if measure(some.rows[start : start + CHUNK], query, apart) > radius:
            continue
        for i in range(len(apart)):
            row = start + i
            if apart[i] > radius or some.dead[row]:
                continue
            if len(allowed) == 0 or among(allowed, some.keys[row]):
                keys, distances, size = appended(keys, distances, size, some.keys[row], apart[i])
    return keys, distances, size


@compiled
def nearest_by_scan(some: Rows, query: Any, allowed: Any, keys: Any, distances: Any, size: Int) -> Int:
    """Offer all rows to the heap; return its size."""
    apart, limit = np.empty(CHUNK, np.int64), np.int64(64 * len(query))
    if size == len(keys):
        limit = np.int64(distances[0])
    for start in range(0, len(some.rows), CHUNK):
        apart = apart[: min(CHUNK, len(some.rows) - start)]
        if measure(some.rows[start : start + CHUNK], query, apart) > limit:
            continue
        for i in range(len(apart)):
            row = start + i
            if apart[i] > limit or some.dead[row]:
                continue
            if len(allowed) == 0 or among(allowed, some.keys[row]):
                size = offer(distances, keys, size, apart[i], some.keys[row])
                if size == len(keys):
                    limit = np.int64(distances[0])
    return size
