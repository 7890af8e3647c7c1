"""Compiled Hamming distances between rows of packed bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from search.kernels.compiled import PACKED_ROW, PACKED_ROWS, Int, compiled, entry, popcount, types

CHUNK = 512


@compiled
def measure_one(rows: Any, query: Any, apart: Any) -> None:
    """Distances between the query and each row, of one word of 64 bits."""
    first = query[0]
    for row in range(len(rows)):
        apart[row] = popcount(rows[row, 0] ^ first)


@compiled
def measure_four(rows: Any, query: Any, apart: Any) -> None:
    """Distances between the query and each row, of four words of 64 bits."""
    first, second, third, fourth = query[0], query[1], query[2], query[3]
    for row in range(len(rows)):
        low = popcount(rows[row, 0] ^ first) + popcount(rows[row, 1] ^ second)
        apart[row] = low + popcount(rows[row, 2] ^ third) + popcount(rows[row, 3] ^ fourth)


@compiled
def measure(rows: Any, query: Any, apart: Any) -> Int:
    """Fill ``apart`` with the distances of the rows; return the smallest."""
    # One loop for each usual length, and one for the minimum, is what vector instructions are made from.
    if len(query) == 1:
        measure_one(rows, query, apart)
    elif len(query) == 4:
        measure_four(rows, query, apart)
    else:
        for row in range(len(rows)):
            apart[row] = differing(rows, row, query)
    nearest = apart[0]
    for row in range(len(rows)):
        nearest = min(nearest, apart[row])
    return nearest


@compiled
def differing(rows: Any, row: Int, query: Any) -> Int:
    """How many bits of a row differ from the query's."""
    total = 0
    for word in range(len(query)):
        total += popcount(rows[row, word] ^ query[word])
    return total


@entry(types.Array(types.float64, 1, "C")(PACKED_ROW, PACKED_ROWS))
def distances(query: Any, rows: Any) -> Any:
    """The number of differing bits between the query and each row."""
    result, apart = np.empty(len(rows), np.float64), np.empty(min(CHUNK, len(rows)), np.int64)
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK]
        measure(some, query, apart)
        for row in range(len(some)):
            result[start + row] = apart[row]
    return result
