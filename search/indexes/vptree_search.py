"""Compiled kernels that search a VP-tree; any number of threads may, nothing is changed."""

from __future__ import annotations

from typing import Any

import numpy as np

from search.indexes.compiled import Int, compiled, entry, popcount, types
from search.indexes.vptree_layout import (
    BLOCK,
    BLOCKS,
    COUNT,
    CUT,
    KEYS,
    LEFT,
    LEFT_HI,
    LEFT_LO,
    MAX_DEPTH,
    NEXT,
    QUERY,
    RIGHT,
    RIGHT_HI,
    RIGHT_LO,
    SIZE,
    TABLE,
    TREE,
    Tree,
    differing,
)

FOUND = types.Tuple([KEYS, TABLE])


@compiled
def sink(distances: Any, keys: Any, size: Int) -> None:
    """Restore a heap, farthest on top and of equals the largest key, after its top was replaced."""
    parent = 0
    while True:
        child = 2 * parent + 1
        if child >= size:
            return
        if child + 1 < size and farther(distances, keys, child + 1, child):
            child += 1
        if not farther(distances, keys, child, parent):
            return
        swap(distances, keys, child, parent)
        parent = child


@compiled
def rise(distances: Any, keys: Any, child: Int) -> None:
    """Restore the heap after an item was put at its end."""
    while child > 0 and farther(distances, keys, child, (child - 1) // 2):
        swap(distances, keys, child, (child - 1) // 2)
        child = (child - 1) // 2


@compiled
def farther(distances: Any, keys: Any, one: Int, other: Int) -> bool:
    if distances[one] == distances[other]:
        return bool(keys[one] > keys[other])
    return bool(distances[one] > distances[other])


@compiled
def swap(distances: Any, keys: Any, one: Int, other: Int) -> None:
    distances[one], distances[other] = distances[other], distances[one]
    keys[one], keys[other] = keys[other], keys[one]


@compiled
def measure(words: Any, block: Int, query: Any, apart: Any) -> Int:
    """Fill ``apart`` with the distances of a block's rows, also of its empty slots; return the smallest."""
    # A length that is not known when this is compiled keeps the loops apart, and so on vector instructions.
    length = len(apart)
    for row in range(length):
        apart[row] = popcount(words[block, 0, row] ^ query[0])
    for word in range(1, query.shape[0]):
        bits = query[word]
        for row in range(length):
            apart[row] += popcount(words[block, word, row] ^ bits)
    least = apart[0]
    for row in range(length):
        least = min(least, apart[row])
    return least


@compiled
def offer(distances: Any, keys: Any, size: Int, distance: Int, key: Int) -> Int:
    """Put one row into the heap if there is room or it beats the top; return the heap's size."""
    if size < len(keys):
        distances[size], keys[size] = distance, key
        rise(distances, keys, size)
        return size + 1
    if distance < distances[0] or (distance == distances[0] and key < keys[0]):
        distances[0], keys[0] = distance, key
        sink(distances, keys, size)
    return size


@compiled
def push_children(nodes: Any, node: Int, apart: Int, stack: Any, waiting: Int, limit: Int) -> Int:
    """Put those children on the stack that may hold a row within the limit, the likelier on top."""
    left = max(nodes[node, LEFT_LO] - apart, apart - nodes[node, LEFT_HI])
    right = max(nodes[node, RIGHT_LO] - apart, apart - nodes[node, RIGHT_HI])
    if apart > nodes[node, CUT] and left <= limit:
        stack[waiting, 0], stack[waiting, 1] = nodes[node, LEFT], left
        waiting += 1
    if right <= limit:
        stack[waiting, 0], stack[waiting, 1] = nodes[node, RIGHT], right
        waiting += 1
    if apart <= nodes[node, CUT] and left <= limit:
        stack[waiting, 0], stack[waiting, 1] = nodes[node, LEFT], left
        waiting += 1
    return waiting


@compiled
def with_space(found: Any, size: Int) -> Any:
    """The array, or a copy twice as long if another block might not fit."""
    if size + BLOCK <= len(found):
        return found
    longer = np.empty((2 * len(found), 2), np.int64)
    longer[:size] = found[:size]
    return longer


@compiled
def hopeless(nodes: Any, stack: Any, waiting: Int, limit: Int, seen: Int) -> bool:
    """Whether less than three quarters of the rows decided on so far were ruled out unseen.

    A row costs about three times as much in the tree as in a scan of all blocks in the order they lie.
    """
    open_rows = 0
    for place in range(waiting):
        if stack[place, 1] <= limit:
            open_rows += nodes[stack[place, 0], SIZE]
    return bool(seen * 4 > nodes[0, SIZE] - open_rows)


# Arrays are taken out of the tree once, and only what is rare is left to functions with many of them:
# counting references and handing arrays on costs more than measuring a block.
@compiled
def keep_nearest(row_keys: Any, count: Int, block: Int, apart: Any, away: Any, keys: Any, size: Int) -> Int:
    """Take a measured block's rows into the heap; return the heap's size."""
    for row in range(count):
        if size < len(keys) or apart[row] <= away[0]:
            size = offer(away, keys, size, apart[row], row_keys[block * BLOCK + row])
    return size


@compiled
def all_nearest(tree: Tree, query: Any, apart: Any, distances: Any, keys: Any) -> None:
    """Fill the heap by a scan of all blocks."""
    words, row_keys, blocks = tree.words, tree.keys, tree.blocks
    size, limit = 0, np.int64(64 * len(query))
    for block in range(tree.head[BLOCKS]):
        if measure(words, block, query, apart) <= limit:
            size = keep_nearest(row_keys, blocks[block, COUNT], block, apart, distances, keys, size)
            if size == len(keys):
                limit = np.int64(distances[0])


@entry(FOUND(TREE, QUERY, types.int64))
def nearest(tree: Tree, query: Any, k: Int) -> tuple[Any, Any]:
    """The ``k <= rows`` nearest keys and distances, unsorted; of equals at the edge the smaller keys."""
    words, row_keys, blocks, nodes, vantage = tree.words, tree.keys, tree.blocks, tree.nodes, tree.vantage
    keys, distances, size = np.empty(k, np.int64), np.empty(k, np.int32), 0
    stack, waiting, apart = np.zeros((2 * MAX_DEPTH, 2), np.int32), 1, np.empty(BLOCK, np.int64)
    limit, seen, doubt = np.int64(64 * len(query)), 0, nodes[0, SIZE] // 16
    while waiting > 0:
        waiting -= 1
        node = stack[waiting, 0]
        if stack[waiting, 1] > limit:
            continue
        if nodes[node, LEFT] >= 0:
            away = differing(vantage, node, query)
            waiting = push_children(nodes, node, away, stack, waiting, limit)
            continue
        block, seen = nodes[node, RIGHT], seen + nodes[node, SIZE]
        while block >= 0:
            if measure(words, block, query, apart) <= limit:
                size = keep_nearest(row_keys, blocks[block, COUNT], block, apart, distances, keys, size)
                if size == k:
                    limit = np.int64(distances[0])
            block = blocks[block, NEXT]
        if seen > doubt:
            doubt = 2 * seen
            if hopeless(nodes, stack, waiting, limit, seen):
                all_nearest(tree, query, apart, distances, keys)
                break
    return keys, distances


@compiled
def keep_within(row_keys: Any, count: Int, block: Int, apart: Any, found: Any, size: Int, radius: Int) -> Int:
    """Append (key, distance) of a measured block's rows within the radius; return the new size."""
    for row in range(count):
        if apart[row] <= radius:
            found[size, 0], found[size, 1] = row_keys[block * BLOCK + row], apart[row]
            size += 1
    return size


@compiled
def all_within(tree: Tree, query: Any, radius: Int, apart: Any) -> Any:
    """What ``within`` returns, by a scan of all blocks."""
    words, row_keys, blocks = tree.words, tree.keys, tree.blocks
    found, size = np.empty((4 * BLOCK, 2), np.int64), 0
    for block in range(tree.head[BLOCKS]):
        if measure(words, block, query, apart) <= radius:
            found = with_space(found, size)
            size = keep_within(row_keys, blocks[block, COUNT], block, apart, found, size, radius)
    return found[:size]


@entry(types.int64[:, ::1](TREE, QUERY, types.int64))
def within(tree: Tree, query: Any, radius: Int) -> Any:
    """Keys and distances, ``(n, 2)``, of all rows within the radius, unsorted."""
    words, row_keys, blocks, nodes, vantage = tree.words, tree.keys, tree.blocks, tree.nodes, tree.vantage
    found, size = np.empty((4 * BLOCK, 2), np.int64), 0
    stack, waiting, apart = np.zeros((2 * MAX_DEPTH, 2), np.int32), 1, np.empty(BLOCK, np.int64)
    seen, doubt = 0, nodes[0, SIZE] // 16
    while waiting > 0:
        waiting -= 1
        node = stack[waiting, 0]
        if nodes[node, LEFT] >= 0:
            away = differing(vantage, node, query)
            waiting = push_children(nodes, node, away, stack, waiting, radius)
            continue
        block, seen = nodes[node, RIGHT], seen + nodes[node, SIZE]
        while block >= 0:
            if measure(words, block, query, apart) <= radius:
                found = with_space(found, size)
                size = keep_within(row_keys, blocks[block, COUNT], block, apart, found, size, radius)
            block = blocks[block, NEXT]
        if seen > doubt:
            doubt = 2 * seen
            if hopeless(nodes, stack, waiting, radius, seen):
                return all_within(tree, query, radius, apart)
    return found[:size]
