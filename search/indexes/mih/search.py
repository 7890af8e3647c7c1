"""Compiled kernels that search by multi-index hashing; they change nothing, so any number of threads may search.

Rows within ``radius`` differ little in some part: part ``t`` of ``m`` may differ in ``f(t) = (radius - t) // m`` bits,
and since the sum of ``f(t) + 1`` is ``radius + 1``, a row can exceed it in all parts only from farther away (Norouzi,
Punjani and Fleet 2012). Some part even starts a ring of parts of which the first two together differ in at most
``f(t) + f(t + 1) + 1`` bits, and so on (Qin and Xiao 2018): that rules out 99 of 100 candidates by 16 bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from search.indexes.mih.scan import CHUNK, Found, appended, by_scan, nearest_by_scan
from search.indexes.mih.tables import BASE, FIRST, ROWS, TABLES, WIDTH, Rows, Tables, part
from search.kernels.compiled import KEYS, PACKED_ROW, Int, compiled, entry, popcount, prefetch, types
from search.kernels.growth import longer
from search.kernels.hamming import differing
from search.kernels.heap import among, rank

# In units of one word scanned: to go to the rows of one value, and to read one of them.
PROBE, READ = 150.0, 10.0
LANES = 32
WORTH_A_TRY = 0.25
FOUND = types.Tuple([KEYS, types.Array(types.float64, 1, "C")])


@compiled
def values_within(width: Int, most: Int) -> Int:
    """How many values of ``width`` bits differ from one in at most ``most``."""
    total = exactly = 1
    for bits in range(min(most, width)):
        exactly = exactly * (width - bits) // (bits + 1)
        total += exactly
    return total


@compiled
def probe_count(parts: Any, radius: Int) -> Int:
    """At how many values of parts to look, at most: the first may differ in one bit more than the others."""
    most, more, width = radius // len(parts), radius % len(parts) + 1, widest(parts)
    count = more * values_within(width, most)
    return count if most == 0 else count + (len(parts) - more) * values_within(width, most - 1)


@compiled
def widest(parts: Any) -> Int:
    """The width in bits of the widest part of a code."""
    width = parts[0, WIDTH]
    for table in range(len(parts)):
        width = max(width, parts[table, WIDTH])
    return width


@compiled
def price(tables: Tables, radius: Int) -> float:
    """What the tables cost, as a share of what a scan costs."""
    each = PROBE + READ * len(tables.keys) / (1 << tables.parts[0, WIDTH])
    return float(probe_count(tables.parts, radius) * each / max(tables.rows.size, 1))


@compiled
def found_before(parts: Any, rows: Any, row: Int, query: Any, radius: Int, table: Int) -> bool:
    """Whether a table before this one leads to the row, too."""
    count = len(parts)
    apart = part_apart(rows, row, query, parts[0, FIRST], parts[0, WIDTH])
    for before in range(table):
        most = (radius - before) // count
        then = part_apart(rows, row, query, parts[before + 1, FIRST], parts[before + 1, WIDTH])
        if apart <= most and apart + then <= most + (radius - before - 1) // count + 1:
            return True
        apart = then
    return False


@compiled
def part_apart(rows: Any, row: Int, query: Any, first: Int, width: Int) -> Int:
    """In how many bits a part of a row differs from the query's."""
    word, shift = first >> 6, np.uint64(first & 63)
    bits = (rows[row, word] ^ query[word]) >> shift
    if (first & 63) + width > 64:
        bits |= (rows[row, word + 1] ^ query[word + 1]) << (np.uint64(64) - shift)
    return popcount(bits & ((np.uint64(1) << np.uint64(width)) - np.uint64(1)))


@compiled
def next_mask(mask: Int) -> Int:
    """The next larger number with as many set bits (Gosper)."""
    lowest = mask & -mask
    carried = mask + lowest
    return (((carried ^ mask) >> 2) // lowest) | carried


@compiled
def probes(tables: Tables, query: Any, radius: Int) -> Any:
    """Per part and per value that is near enough to the query's: spare bits, and where its rows start and end."""
    parts, starts, count = tables.parts, tables.starts, len(tables.parts)
    rows_of_query = query.reshape((1, len(query)))
    result, size = np.empty((probe_count(parts, radius), 4), np.int64), 0
    for table in range(min(count, radius + 1)):
        width, base, most = parts[table, WIDTH], parts[table, BASE], (radius - table) // count
        own, slack = (
            part(rows_of_query, 0, parts[table, FIRST], width),
            most + (radius - (table + 1) % count) // count + 1,
        )
        for bits in range(min(most, width) + 1):
            mask = (1 << bits) - 1
            while mask >> width == 0:
                result[size, 0], result[size, 1], result[size, 2] = table, slack - bits, base + (own ^ mask)
                prefetch(starts, result[size, 2])
                size += 1
                if mask == 0:
                    break
                mask = next_mask(mask)
    next_parts, rows = tables.next_parts, len(tables.keys)
    for i in range(size):
        value, offset = np.uint64(result[i, 2]), result[i, 0] * rows
        result[i, 2] = offset + starts[value]
        result[i, 3] = offset + starts[value + np.uint64(1)]
        prefetch(next_parts, result[i, 2])
        prefetch(next_parts, result[i, 2] + LANES - 1)
    return result[:size]


@compiled
def some_near(next_parts: Any, start: Int, other: Int, spare: Int) -> bool:
    """Whether one of ``LANES`` values is near enough; a slice, as its length is not known when compiled."""
    some, bits, nearest = next_parts[start : start + LANES], np.uint64(other), np.int64(64)
    for i in range(len(some)):
        nearest = min(nearest, popcount(np.uint64(some[i]) ^ bits))
    return bool(nearest <= spare)


@compiled
def candidates(tables: Tables, query: Any, radius: Int) -> Any:
    """Where in all tables the rows stand that may be within the radius."""
    parts, next_parts, ids, rows_of_query = tables.parts, tables.next_parts, tables.ids, query.reshape((1, len(query)))
    result, size, others = np.empty(256, np.int64), 0, np.empty(len(parts), np.uint16)
    for table in range(len(parts)):
        others[table - 1] = part(rows_of_query, 0, parts[table, FIRST], parts[table, WIDTH])
    around = probes(tables, query, radius)
    for probe in range(len(around)):
        spare, start, stop = around[probe, 1], around[probe, 2], around[probe, 3]
        other = others[around[probe, 0]]
        for begin in range(start, stop, LANES):
            if not some_near(next_parts, begin, other, spare):
                continue
            if size + LANES > len(result):
                result = longer(result, 2 * len(result))
            for position in range(begin, min(begin + LANES, stop)):
                if popcount(np.uint64(next_parts[position] ^ other)) <= spare:
                    prefetch(ids, position)
                    result[size] = position
                    size += 1
    return result[:size]


@compiled
def from_tables(tables: Tables, query: Any, radius: Int, allowed: Any, keys: Any, distances: Any) -> Found:
    """Keys and distances of the rows within the radius, and how many; -1 if there are too many candidates."""
    positions, size, count = candidates(tables, query, radius), 0, len(tables.keys)
    if 4 * len(positions) > count + CHUNK:
        return keys, distances, -1
    # Arrays are taken out of the tables once: each time, their references are counted.
    ids, rows, row_keys, dead, parts = (
        tables.ids.reshape(-1),
        tables.rows,
        tables.keys,
        tables.dead,
        tables.parts,
    )
    for position in positions:
        prefetch(rows, len(query) * ids[position])
    for position in positions:
        row = ids[position]
        distance = differing(rows, row, query)
        if distance > radius or dead[row] or found_before(parts, rows, row, query, radius, position // count):
            continue
        if len(allowed) == 0 or among(allowed, row_keys[row]):
            keys, distances, size = appended(keys, distances, size, row_keys[row], distance)
    return keys, distances, size


@compiled
def all_within(tables: Tables, recent: Rows, query: Any, radius: Int, allowed: Any) -> Found:
    """Keys and distances of all rows within the radius, and how many."""
    keys, distances, size = np.empty(64, np.int64), np.empty(64, np.float64), -1
    if price(tables, radius) < 1:
        keys, distances, size = from_tables(tables, query, radius, allowed, keys, distances)
    if size < 0:
        merged = Rows(tables.keys, tables.rows, tables.dead)
        keys, distances, size = by_scan(merged, query, radius, allowed, keys, distances, 0)
    return by_scan(recent, query, radius, allowed, keys, distances, size)


# Loose arrays reach compiled code in half the time that tuples of them take, a tenth of a whole search.
ASK = FOUND(*TABLES.types, *ROWS.types, PACKED_ROW, types.int64, KEYS)


@entry(ASK)
def within(
    keys: Any,
    rows: Any,
    dead: Any,
    parts: Any,
    starts: Any,
    ids: Any,
    next_parts: Any,
    new_keys: Any,
    new_rows: Any,
    new_dead: Any,
    query: Any,
    radius: Int,
    allowed: Any,
) -> tuple[Any, Any]:
    """Keys and distances of all rows within the radius, nearest first; of those allowed, if any are named."""
    tables, recent = Tables(keys, rows, dead, parts, starts, ids, next_parts), Rows(new_keys, new_rows, new_dead)
    matched, distances, size = all_within(tables, recent, query, radius, allowed)
    rank(distances, matched, size)
    return matched[:size], distances[:size]


@entry(ASK)
def nearest(
    keys: Any,
    rows: Any,
    dead: Any,
    parts: Any,
    starts: Any,
    ids: Any,
    next_parts: Any,
    new_keys: Any,
    new_rows: Any,
    new_dead: Any,
    query: Any,
    k: Int,
    allowed: Any,
) -> tuple[Any, Any]:
    """Keys and distances of the ``k`` nearest rows, nearest first: by growing radius, or a scan at last."""
    tables, recent = Tables(keys, rows, dead, parts, starts, ids, next_parts), Rows(new_keys, new_rows, new_dead)
    radius = len(parts) - 1
    while price(tables, radius) < WORTH_A_TRY:
        matched, distances, size = all_within(tables, recent, query, radius, allowed)
        if size >= k:
            rank(distances, matched, size)
            return matched[:k], distances[:k]
        radius += len(parts)
    matched, distances = np.empty(k, np.int64), np.empty(k, np.float64)
    size = nearest_by_scan(Rows(keys, rows, dead), query, allowed, matched, distances, 0)
    size = nearest_by_scan(recent, query, allowed, matched, distances, size)
    rank(distances, matched, size)
    return matched[:size], distances[:size]
