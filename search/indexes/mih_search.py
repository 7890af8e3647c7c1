"""Compiled kernels that search by multi-index hashing; any number of threads may, nothing is changed.

Rows within ``radius`` differ little in some part: part ``t`` of ``m`` may differ in ``f(t) = (radius - t) // m`` bits,
and since the sum of ``f(t) + 1`` is ``radius + 1``, a row can exceed it in all parts only from farther away (Norouzi,
Punjani and Fleet 2012). Some part even starts a ring of parts of which the first two together differ in at most
``f(t) + f(t + 1) + 1`` bits, and so on (Qin and Xiao 2018): that rules out 99 of 100 candidates by 16 bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from search.indexes.compiled import Int, compiled, entry, popcount, types
from search.indexes.heap import among, offer, rank
from search.indexes.mih_tables import BASE, FIRST, TABLES, WIDTH, Tables, part
from search.indexes.vptree_layout import KEYS, POINTS, QUERY
from search.indexes.vptree_rows import longer

# In units of one word scanned: to go to the rows of one value, and to read one of them.
PROBE, READ = 40.0, 3.0
CHUNK = 512
FOUND = types.Tuple([KEYS, types.Array(types.float64, 1, "C")])


@compiled
def measure(rows: Any, start: Int, query: Any, apart: Any) -> Int:
    """Fill ``apart`` with the distances of the rows from ``start`` on; return the smallest."""
    nearest = np.int64(64 * len(query))
    if len(query) == 1:
        first = query[0]
        for place in range(len(apart)):
            apart[place] = popcount(rows[start + place, 0] ^ first)
            nearest = min(nearest, apart[place])
    elif len(query) == 4:
        first, second, third, fourth = query[0], query[1], query[2], query[3]
        for place in range(len(apart)):
            low = popcount(rows[start + place, 0] ^ first) + popcount(rows[start + place, 1] ^ second)
            high = popcount(rows[start + place, 2] ^ third) + popcount(rows[start + place, 3] ^ fourth)
            apart[place] = low + high
            nearest = min(nearest, apart[place])
    else:
        for place in range(len(apart)):
            apart[place] = differing(rows, start + place, query)
            nearest = min(nearest, apart[place])
    return nearest


@compiled
def differing(rows: Any, row: Int, query: Any) -> Int:
    total = 0
    for word in range(len(query)):
        total += popcount(rows[row, word] ^ query[word])
    return total


@compiled
def flips(radius: Int, table: Int, count: Int) -> Int:
    """In how many bits a part may differ; -1 if it need not be looked at."""
    return (radius - table) // count


@compiled
def dearer(tables: Tables, radius: Int) -> bool:
    """Whether the tables cost more than a scan."""
    count, price = len(tables.parts), 0.0
    for table in range(count):
        width = tables.parts[table, WIDTH]
        values = 1.0
        for bits in range(flips(radius, table, count) + 1):
            price += values * (PROBE + READ * len(tables.rows) / (1 << width))
            values = values * (width - bits) / (bits + 1)
    return price > tables.rows.size


@compiled
def found_before(tables: Tables, row: Int, query: Any, radius: Int, table: Int) -> bool:
    """Whether a table before this one leads to the row, too."""
    parts, count = tables.parts, len(tables.parts)
    for before in range(table):
        first, width = parts[before, FIRST], parts[before, WIDTH]
        apart = popcount(np.uint64(part(tables.rows[row], first, width) ^ part(query, first, width)))
        if apart > flips(radius, before, count):
            continue
        first, width = parts[before + 1, FIRST], parts[before + 1, WIDTH]
        apart += popcount(np.uint64(part(tables.rows[row], first, width) ^ part(query, first, width)))
        if apart <= flips(radius, before, count) + flips(radius, before + 1, count) + 1:
            return True
    return False


@compiled
def next_mask(mask: Int) -> Int:
    """The next larger number with as many set bits (Gosper)."""
    lowest = mask & -mask
    carried = mask + lowest
    return (((carried ^ mask) >> 2) // lowest) | carried


@compiled
def candidates(tables: Tables, table: Int, query: Any, radius: Int) -> Any:
    """Rows to which one table leads."""
    parts, starts, ids, beside = tables.parts, tables.starts, tables.ids[table], tables.beside[table]
    count, width, base = len(parts), parts[table, WIDTH], parts[table, BASE]
    then = (table + 1) % count
    own, other = part(query, parts[table, FIRST], width), part(query, parts[then, FIRST], parts[then, WIDTH])
    most = flips(radius, table, count)
    slack = most + flips(radius, then, count) + 1
    found, size = np.empty(256, np.int32), 0
    for bits in range(min(most, width) + 1):
        mask = (1 << bits) - 1
        while mask >> width == 0:
            start, stop = starts[base + (own ^ mask)], starts[base + (own ^ mask) + 1]
            if size + stop - start > len(found):
                found = longer(found, 2 * (size + stop - start))
            for place in range(start, stop):
                found[size] = ids[place]
                size += popcount(np.uint64(beside[place] ^ other)) <= slack - bits
            if mask == 0:
                break
            mask = next_mask(mask)
    return found[:size]


@compiled
def from_tables(tables: Tables, query: Any, radius: Int, allowed: Any) -> tuple[Any, Any]:
    """Keys and distances of all rows within the radius."""
    keys, distances, size = np.empty(16, np.int64), np.empty(16, np.float64), 0
    for table in range(min(len(tables.parts), radius + 1)):
        for row in candidates(tables, table, query, radius):
            distance = differing(tables.rows, row, query)
            if distance > radius or tables.dead[row] or found_before(tables, row, query, radius, table):
                continue
            if len(allowed) == 0 or among(allowed, tables.keys[row]):
                if size == len(keys):
                    keys, distances = longer(keys, 2 * size), longer(distances, 2 * size)
                keys[size], distances[size] = tables.keys[row], distance
                size += 1
    return keys[:size], distances[:size]


@compiled
def by_scan(row_keys: Any, rows: Any, dead: Any, query: Any, radius: Int, allowed: Any) -> tuple[Any, Any]:
    """What ``from_tables`` returns; ``dead`` may be empty."""
    keys, distances, size = np.empty(16, np.int64), np.empty(16, np.float64), 0
    apart = np.empty(CHUNK, np.int64)
    for start in range(0, len(rows), CHUNK):
        apart = apart[: min(CHUNK, len(rows) - start)]
        if measure(rows, start, query, apart) > radius:
            continue
        for place in range(len(apart)):
            row = start + place
            if apart[place] > radius or (len(dead) > 0 and dead[row]):
                continue
            if len(allowed) == 0 or among(allowed, row_keys[row]):
                if size == len(keys):
                    keys, distances = longer(keys, 2 * size), longer(distances, 2 * size)
                keys[size], distances[size] = row_keys[row], apart[place]
                size += 1
    return keys[:size], distances[:size]
