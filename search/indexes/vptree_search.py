"""Compiled kernels that search a VP-tree; any number of threads may, nothing is changed (layout format 1)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types

from search.indexes.vptree_layout import (
    BLOCK,
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
    TABLE,
    TREE,
    Tree,
    differing,
    popcount,
)

FOUND = types.Tuple((KEYS, TABLE))


@njit
def sink(distances: Any, keys: Any, size: int) -> None:
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


@njit
def rise(distances: Any, keys: Any, child: int) -> None:
    """Restore the heap after an item was put at its end."""
    while child > 0 and farther(distances, keys, child, (child - 1) // 2):
        swap(distances, keys, child, (child - 1) // 2)
        child = (child - 1) // 2


@njit
def farther(distances: Any, keys: Any, one: int, other: int) -> bool:
    return distances[one] > distances[other] or (
        distances[one] == distances[other] and keys[one] > keys[other]
    )


@njit
def swap(distances: Any, keys: Any, one: int, other: int) -> None:
    distances[one], distances[other] = distances[other], distances[one]
    keys[one], keys[other] = keys[other], keys[one]


@njit
def measure(words: Any, block: int, query: Any, apart: Any) -> int:
    """Fill ``apart`` with the distances of a block's rows, also of its empty slots; return the smallest."""
    apart[:] = 0
    for word in range(query.shape[0]):
        for row in range(BLOCK):
            apart[row] += popcount(words[block, word, row] ^ query[word])
    least = apart[0]
    for row in range(BLOCK):
        least = min(least, apart[row])
    return least


@njit
def keep_nearest(tree: Tree, leaf: int, query: Any, apart: Any, distances: Any, keys: Any, size: int) -> int:
    """Take what a leaf has into the heap of the nearest; return the heap's size."""
    block = tree.nodes[leaf, RIGHT]
    while block >= 0:
        least = measure(tree.words, block, query, apart)
        if size < len(keys) or least <= distances[0]:
            for row in range(tree.blocks[block, COUNT]):
                size = offer(distances, keys, size, apart[row], tree.keys[block * BLOCK + row])
        block = tree.blocks[block, NEXT]
    return size


@njit
def offer(distances: Any, keys: Any, size: int, distance: int, key: int) -> int:
    """Put one row into the heap if there is room or it beats the top; return the heap's size."""
    if size < len(keys):
        distances[size], keys[size] = distance, key
        rise(distances, keys, size)
        return size + 1
    if distance < distances[0] or (distance == distances[0] and key < keys[0]):
        distances[0], keys[0] = distance, key
        sink(distances, keys, size)
    return size


@njit
def push_children(nodes: Any, node: int, apart: int, stack: Any, waiting: int, limit: int) -> int:
    """Put those children on the stack that may hold a row within the limit, the likelier on top."""
    left = max(nodes[node, LEFT_LO] - apart, apart - nodes[node, LEFT_HI])
    right = max(nodes[node, RIGHT_LO] - apart, apart - nodes[node, RIGHT_HI])
    first, second = (LEFT, RIGHT) if apart > nodes[node, CUT] else (RIGHT, LEFT)
    for side in (first, second):
        bound = left if side == LEFT else right
        if bound <= limit:
            stack[waiting, 0], stack[waiting, 1] = nodes[node, side], bound
            waiting += 1
    return waiting


@njit(FOUND(TREE, QUERY, types.int64), nogil=True, cache=True)
def nearest(tree: Tree, query: Any, k: int) -> tuple[Any, Any]:
    """The ``k <= rows`` nearest keys and distances, unsorted; of equals at the edge the smaller keys."""
    keys, distances, size = np.empty(k, np.int64), np.empty(k, np.int32), 0
    stack, waiting, apart = np.zeros((2 * MAX_DEPTH, 2), np.int32), 1, np.empty(BLOCK, np.int64)
    while waiting > 0:
        waiting -= 1
        node, limit = stack[waiting, 0], 64 * len(query)
        if size == k:
            limit = distances[0]
        if stack[waiting, 1] > limit:
            continue
        if tree.nodes[node, LEFT] < 0:
            size = keep_nearest(tree, node, query, apart, distances, keys, size)
        else:
            away = differing(tree.vantage, node, query)
            waiting = push_children(tree.nodes, node, away, stack, waiting, limit)
    return keys[:size], distances[:size]


@njit
def keep_within(
    tree: Tree, leaf: int, query: Any, apart: Any, radius: int, found: Any, size: int
) -> tuple[Any, int]:
    """Append (key, distance) of a leaf's rows within the radius; return the array, longer if need be."""
    block = tree.nodes[leaf, RIGHT]
    while block >= 0:
        if size + BLOCK > len(found):
            longer = np.empty((2 * len(found), 2), np.int64)
            longer[:size] = found[:size]
            found = longer
        if measure(tree.words, block, query, apart) <= radius:
            for row in range(tree.blocks[block, COUNT]):
                if apart[row] <= radius:
                    found[size, 0], found[size, 1] = tree.keys[block * BLOCK + row], apart[row]
                    size += 1
        block = tree.blocks[block, NEXT]
    return found, size


@njit(types.int64[:, ::1](TREE, QUERY, types.int64), nogil=True, cache=True)
def within(tree: Tree, query: Any, radius: int) -> Any:
    """Keys and distances, ``(n, 2)``, of all rows within the radius, unsorted."""
    found, size = np.empty((4 * BLOCK, 2), np.int64), 0
    stack, waiting, apart = np.zeros((2 * MAX_DEPTH, 2), np.int32), 1, np.empty(BLOCK, np.int64)
    while waiting > 0:
        waiting -= 1
        node = stack[waiting, 0]
        if tree.nodes[node, LEFT] < 0:
            found, size = keep_within(tree, node, query, apart, radius, found, size)
        else:
            away = differing(tree.vantage, node, query)
            waiting = push_children(tree.nodes, node, away, stack, waiting, radius)
    return found[:size]
