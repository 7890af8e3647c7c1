"""The tables of multi-index hashing, and the compiled kernel that makes and merges them.

Hashes are cut into parts of at most 16 bits. Per part, all rows are sorted by its value: the rows of value ``v`` in
table ``t`` are ``ids[t, starts[base + v]:starts[base + v + 1]]``. ``next_parts`` holds, in the same order, each row's
next part (the first after the last), so that most candidates are ruled out without a look at the row.
"""

from __future__ import annotations

from math import log2
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from search.kernels.compiled import KEYS, PACKED_ROWS, Int, compiled, entry, types
from search.types import Features

FIRST, WIDTH, BASE = range(3)
MOST_BITS = 16
LEAST_BITS = 8
ROWS_TO_A_VALUE = 16
# Searches read a little past the end.
SPARE = 64


class Rows(NamedTuple):
    """Some rows and their keys; a dead row is no answer."""

    keys: NDArray[np.int64]
    rows: NDArray[np.uint64]
    dead: NDArray[np.uint8]


class Tables(NamedTuple):
    """``parts`` has per table the first bit, the width and the base in ``starts``."""

    keys: NDArray[np.int64]
    rows: NDArray[np.uint64]
    dead: NDArray[np.uint8]
    parts: NDArray[np.int64]
    starts: NDArray[np.int32]
    ids: NDArray[np.int32]
    next_parts: NDArray[np.uint16]


FLAGS = types.Array(types.uint8, 1, "C")
PARTS = types.Array(types.int64, 2, "C")
STARTS = types.Array(types.int32, 1, "C")
IDS = types.Array(types.int32, 2, "C")
NEXT_PARTS = types.Array(types.uint16, 1, "C")
ROWS = types.NamedTuple((KEYS, PACKED_ROWS, FLAGS), Rows)
TABLES = types.NamedTuple((KEYS, PACKED_ROWS, FLAGS, PARTS, STARTS, IDS, NEXT_PARTS), Tables)


@compiled
def part(rows: Any, row: Int, first: Int, width: Int) -> Int:
    """``width`` bits of a row from bit ``first``, which may lie across two words."""
    # Not of ``rows[row]``: to make that view would take longer than all else here.
    word, shift = first >> 6, np.uint64(first & 63)
    bits = rows[row, word] >> shift
    if (first & 63) + width > 64:
        bits |= rows[row, word + 1] << (np.uint64(64) - shift)
    return np.int64(bits & ((np.uint64(1) << np.uint64(width)) - np.uint64(1)))


@compiled
def sort_rows(parts: Any, table: Int, rows: Any, counts: Any, order: Any) -> None:
    """Row numbers by the value of a part; ``counts[v]`` is then where value ``v`` starts, and one more."""
    first, width = parts[table, FIRST], parts[table, WIDTH]
    counts[:] = 0
    for row in range(len(rows)):
        counts[part(rows, row, first, width) + 1] += 1
    for value in range(1 << width):
        counts[value + 1] += counts[value]
    for row in range(len(rows)):
        value = part(rows, row, first, width)
        order[counts[value]] = row
        counts[value] += 1
    for value in range(1 << width, 0, -1):
        counts[value] = counts[value - 1]
    counts[0] = 0


@compiled
def merge_table(tables: Tables, new: Tables, table: Int, counts: Any, order: Any) -> None:
    """Write one table of ``new``: value by value what was there, then the rows sorted in ``order``."""
    starts, ids, next_parts, rows = (
        tables.starts,
        tables.ids[table],
        tables.next_parts[table * tables.ids.shape[1] :],
        new.rows,
    )
    ids_out, next_parts_out = new.ids[table], new.next_parts[table * len(rows) :]
    base, then, end = tables.parts[table, BASE], (table + 1) % len(tables.parts), 0
    first, width = tables.parts[then, FIRST], tables.parts[then, WIDTH]
    for value in range(1 << tables.parts[table, WIDTH]):
        new.starts[base + value] = end
        for i in range(starts[base + value], starts[base + value + 1]):
            ids_out[end], next_parts_out[end] = ids[i], next_parts[i]
            end += 1
        for i in range(counts[value], counts[value + 1]):
            row = len(ids) + order[i]
            ids_out[end], next_parts_out[end] = row, part(rows, row, first, width)
            end += 1
    new.starts[base + (1 << tables.parts[table, WIDTH])] = end


@entry(types.void(TABLES, TABLES))
def merge_into(tables: Tables, new: Tables) -> None:
    """Fill the tables of ``new``, whose rows are those of ``tables`` and more after them."""
    more = new.rows[len(tables.rows) :]
    order = np.empty(len(more), np.int32)
    for table in range(len(tables.parts)):
        counts = np.empty((1 << tables.parts[table, WIDTH]) + 1, np.int32)
        sort_rows(tables.parts, table, more, counts, order)
        merge_table(tables, new, table, counts, order)


def cut(rows: int, dimension: int) -> NDArray[np.int64]:
    """The parts for so many rows of 64-bit words, ``(tables, 3)``: some 16 rows to a value, 8 to 16 bits."""
    bits = 64 * dimension
    width = min(max(round(log2(max(rows, 1) / ROWS_TO_A_VALUE)), LEAST_BITS), MOST_BITS)
    edges = np.linspace(0, bits, -(-bits // width) + 1).astype(np.int64)
    widths = np.diff(edges)
    sizes = (1 << widths) + 1
    return np.ascontiguousarray(np.stack((edges[:-1], widths, np.cumsum(sizes) - sizes), axis=1))


def without_rows(parts: NDArray[np.int64], dimension: int) -> Tables:
    """Tables of these parts that hold nothing."""
    size = int(parts[-1, BASE]) + (1 << int(parts[-1, WIDTH])) + 1
    return Tables(
        keys=np.empty(0, np.int64),
        rows=np.empty((0, dimension), np.uint64),
        dead=np.empty(0, np.uint8),
        parts=parts,
        starts=np.zeros(size, np.int32),
        ids=np.empty((len(parts), 0), np.int32),
        next_parts=np.zeros(SPARE, np.uint16),
    )


def with_rows(tables: Tables, keys: NDArray[np.int64], rows: Features) -> Tables:
    """The tables and more rows after theirs."""
    count = len(tables.keys) + len(keys)
    new = Tables(
        keys=np.concatenate((tables.keys, keys)),
        rows=np.concatenate((tables.rows, rows)),
        dead=np.concatenate((tables.dead, np.zeros(len(keys), np.uint8))),
        parts=tables.parts,
        starts=np.empty_like(tables.starts),
        ids=np.empty((len(tables.parts), count), np.int32),
        next_parts=np.empty(len(tables.parts) * count + SPARE, np.uint16),
    )
    merge_into(tables, new)
    return new
