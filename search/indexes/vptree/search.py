"""Compiled kernels that search a VP-tree; they change nothing, so any number of threads may search.

The tree is walked level by level: which leaves may hold an answer is known before the first is read, so that the
processor waits neither for memory nor for its branch predictor. Where the tree rules out too little, as in k-nearest
search among unrelated hashes, all blocks are scanned in the order they lie, which is far quicker row by row.
"""

from __future__ import annotations

from math import log2
from typing import Any

import numpy as np

from search.indexes.vptree.layout import (
    BLOCK,
    BLOCKS,
    COUNT,
    CUT,
    LEAF,
    LEFT,
    LEFT_HI,
    LEFT_LO,
    NEXT,
    RIGHT,
    RIGHT_HI,
    RIGHT_LO,
    SIZE,
    TREE,
    Tree,
    differing,
)
from search.indexes.vptree.rows import find
from search.kernels.compiled import KEYS, PACKED_ROW, Int, compiled, entry, popcount, prefetch, types
from search.kernels.growth import longer
from search.kernels.heap import among, offer, rank

SURE_AFTER = 6
WORTH = 0.25
FIRST_CHUNK, LAST_CHUNK = 4, 1024
CACHE_LINE = 8
FOUND = types.Tuple([KEYS, types.Array(types.float64, 1, "C")])


@compiled
def least_of_one(words: Any, block: Int, query: Any) -> Int:
    """The smallest distance in a block, also of its empty slots, of rows of one word."""
    first, nearest = query[0], np.int64(64)
    # A length that is not known when this is compiled keeps the loop a loop, and so on vector instructions.
    for row in range(words.shape[2]):
        nearest = min(nearest, popcount(words[block, 0, row] ^ first))
    return nearest


@compiled
def least_of_four(words: Any, block: Int, query: Any) -> Int:
    """The least distance between the query and a block's codes of four words (256 bits)."""
    first, second, third, fourth = query[0], query[1], query[2], query[3]
    nearest = np.int64(256)
    for row in range(words.shape[2]):
        low = popcount(words[block, 0, row] ^ first) + popcount(words[block, 1, row] ^ second)
        high = popcount(words[block, 2, row] ^ third) + popcount(words[block, 3, row] ^ fourth)
        nearest = min(nearest, low + high)
    return nearest


@compiled
def least_of_any(words: Any, block: Int, query: Any, sums: Any) -> Int:
    """The least distance between the query and a block's codes of any length; ``sums`` is overwritten."""
    sums[:] = 0
    for word in range(len(query)):
        bits = query[word]
        for row in range(len(sums)):
            sums[row] += popcount(words[block, word, row] ^ bits)
    nearest = sums[0]
    for row in range(len(sums)):
        nearest = min(nearest, sums[row])
    return nearest


@compiled
def sift(words: Any, blocks: Any, query: Any, limit: Int) -> Any:
    """Those of the blocks that seem to hold a row within the limit."""
    hits, size = np.empty(len(blocks), np.int32), 0
    if len(query) == 1:
        for block in blocks:
            hits[size] = block
            size += least_of_one(words, block, query) <= limit
    elif len(query) == 4:
        for block in blocks:
            hits[size] = block
            size += least_of_four(words, block, query) <= limit
    else:
        sums = np.empty(BLOCK, np.int64)
        for block in blocks:
            hits[size] = block
            size += least_of_any(words, block, query, sums) <= limit
    return hits[:size]


@compiled
def apart(words: Any, block: Int, row: Int, query: Any) -> Int:
    """Hamming distance of a row in a block."""
    total = 0
    for word in range(len(query)):
        total += popcount(words[block, word, row] ^ query[word])
    return total


@compiled
def hopeless(rows: Int, total: Int, depth: Int) -> bool:
    """Whether too many rows would be left at the leaves, if every level rules out the same share."""
    if depth < SURE_AFTER:
        return False
    return bool((rows / total) ** (log2(total / LEAF) / depth) > WORTH)


@compiled
def open_children(nodes: Any, node: Int, away: Int, radius: Int, level: Any, size: Int) -> Int:
    """Append those children of a node that may hold a row within the radius; return the new size."""
    left = max(nodes[node, LEFT_LO] - away, away - nodes[node, LEFT_HI])
    right = max(nodes[node, RIGHT_LO] - away, away - nodes[node, RIGHT_HI])
    level[size] = nodes[node, LEFT]
    size += left <= radius
    level[size] = nodes[node, RIGHT]
    return size + (right <= radius)


@compiled
def leaves_within(tree: Tree, top: Int, query: Any, radius: Int) -> tuple[Any, bool]:
    """Leaves under a node that may hold a row within the radius; False if a scan of everything is quicker."""
    nodes, vantage, blocks = tree.nodes, tree.vantage, tree.blocks
    level, count, depth = np.full(1, top, np.int32), 1, 0
    leaves, leaf_count, settled = np.empty(64, np.int32), 0, 0
    while count > 0:
        following, more, rows = np.empty(2 * count, np.int32), 0, settled
        if leaf_count + count > len(leaves):
            leaves = longer(leaves, 2 * (leaf_count + count))
        for i in range(count):
            node = level[i]
            rows += nodes[node, SIZE]
            if nodes[node, LEFT] < 0:
                leaves[leaf_count] = node
                prefetch(blocks, blocks.shape[1] * max(nodes[node, RIGHT], 0))
                leaf_count, settled = leaf_count + 1, settled + nodes[node, SIZE]
            else:
                away = differing(vantage, node, query)
                more = open_children(nodes, node, away, radius, following, more)
        for i in range(more):
            prefetch(nodes, nodes.shape[1] * following[i])
            prefetch(vantage, len(query) * following[i])
        if hopeless(rows, nodes[top, SIZE], depth):
            return leaves[:0], False
        level, count, depth = following, more, depth + 1
    return leaves[:leaf_count], True


@compiled
def blocks_of(tree: Tree, leaves: Any) -> Any:
    """All blocks of some leaves."""
    nodes, blocks, words = tree.nodes, tree.blocks, tree.words
    result, size = np.empty(4 * len(leaves) + 4, np.int32), 0
    for leaf in leaves:
        block = nodes[leaf, RIGHT]
        while block >= 0:
            if size == len(result):
                result = longer(result, 2 * size)
            for line in range(0, words.shape[1] * BLOCK, CACHE_LINE):
                prefetch(words, block * words.shape[1] * BLOCK + line)
            result[size] = block
            size, block = size + 1, blocks[block, NEXT]
    return result[:size]


@compiled
def blocks_within(tree: Tree, query: Any, radius: Int) -> Any:
    """The blocks to look through for rows within the radius: those of some leaves, or all."""
    leaves, worth = leaves_within(tree, 0, query, radius)
    return blocks_of(tree, leaves) if worth else np.arange(tree.head[BLOCKS]).astype(np.int32)


# Here and in ``within`` arrays are taken out of the tree once, and a block's rows are measured in place:
# counting references and handing arrays on would cost more than measuring.
@compiled
def keep_nearest(tree: Tree, blocks: Any, query: Any, limit: Int, allowed: Any, distances: Any, keys: Any) -> Int:
    """Fill the heap from these blocks; return how many rows it got, at most its length."""
    words, row_keys, counts, size, full = tree.words, tree.keys, tree.blocks, 0, len(keys)
    start, length = 0, FIRST_CHUNK
    while start < len(blocks):
        for block in sift(words, blocks[start : start + length], query, limit):
            for row in range(counts[block, COUNT]):
                distance, key = 0, row_keys[block * BLOCK + row]
                for word in range(len(query)):
                    distance += popcount(words[block, word, row] ^ query[word])
                if distance <= limit and (len(allowed) == 0 or among(allowed, key)):
                    size = offer(distances, keys, size, distance, key)
                    limit = min(limit, np.int64(distances[0])) if size == full else limit
        # The limit falls quickly at first.
        start, length = start + length, min(2 * length, LAST_CHUNK)
    return size


@compiled
def branch_around(tree: Tree, query: Any, rows: Int) -> Int:
    """The node reached by always taking the nearer side, while it has so many rows."""
    nodes, node = tree.nodes, 0
    while nodes[node, LEFT] >= 0:
        side = LEFT if differing(tree.vantage, node, query) <= nodes[node, CUT] else RIGHT
        if nodes[nodes[node, side], SIZE] < rows:
            break
        node = nodes[node, side]
    return node


@compiled
def first_limit(tree: Tree, query: Any, allowed: Any, distances: Any, keys: Any) -> Int:
    """A distance within which there are as many rows as the heap takes."""
    most = np.int64(64 * len(query))
    leaves, _ = leaves_within(tree, branch_around(tree, query, 2 * len(keys)), query, most)
    size = keep_nearest(tree, blocks_of(tree, leaves), query, most, allowed, distances, keys)
    return np.int64(distances[0]) if size == len(keys) else most


@entry(FOUND(TREE, PACKED_ROW, types.int64, KEYS))
def nearest(tree: Tree, query: Any, k: Int, allowed: Any) -> tuple[Any, Any]:
    """The ``k <= rows`` nearest keys and distances, nearest first, ties by key.

    With ``allowed`` that is not empty, only of these.
    """
    keys, distances = np.empty(k, np.int64), np.empty(k, np.float64)
    limit = first_limit(tree, query, allowed, distances, keys)
    size = keep_nearest(tree, blocks_within(tree, query, limit), query, limit, allowed, distances, keys)
    rank(distances, keys, size)
    return keys[:size], distances[:size]


@entry(FOUND(TREE, PACKED_ROW, types.int64))
def within(tree: Tree, query: Any, radius: Int) -> tuple[Any, Any]:
    """Keys and distances of all rows within the radius, nearest first, ties by key."""
    words, row_keys, counts = tree.words, tree.keys, tree.blocks
    keys, distances, size = np.empty(2 * BLOCK, np.int64), np.empty(2 * BLOCK, np.float64), 0
    for block in sift(words, blocks_within(tree, query, radius), query, radius):
        if size + BLOCK > len(keys):
            keys, distances = longer(keys, 2 * len(keys)), longer(distances, 2 * len(keys))
        for row in range(counts[block, COUNT]):
            distance = 0
            for word in range(len(query)):
                distance += popcount(words[block, word, row] ^ query[word])
            keys[size], distances[size] = row_keys[block * BLOCK + row], distance
            size += distance <= radius
    rank(distances, keys, size)
    return keys[:size], distances[:size]


@entry(FOUND(TREE, PACKED_ROW, types.int64, KEYS))
def nearest_of(tree: Tree, query: Any, k: Int, few: Any) -> tuple[Any, Any]:
    """The ``k`` nearest of some keys and their distances, nearest first; each key is looked up."""
    keys, distances, size = np.empty(k, np.int64), np.empty(k, np.float64), 0
    for key in few:
        slot = tree.table[find(tree, key)]
        if slot >= 0:
            away = apart(tree.words, slot // BLOCK, slot % BLOCK, query)
            size = offer(distances, keys, size, away, key)
    rank(distances, keys, size)
    return keys[:size], distances[:size]
