"""A compiled search of a graph that lies in memory as hnswlib saved it; it changes nothing, so any thread may search.

The algorithm is that of Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
Hierarchical Navigable Small World graphs", 2018. hnswlib's own search is as fast, but its loading holds
Python's lock for as long as it takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from search.kernels.compiled import Int, compiled, entry, types

F = TypeVar("F", bound=Callable[..., Any])

DEAD = 1 << 16  # in a row's number of links
COUNT = DEAD - 1
WORDS = types.Array(types.uint32, 1, "C", readonly=True)
FLOATS = types.Array(types.float32, 1, "C", readonly=True)
POSITIONS = types.Array(types.int64, 1, "C")
SQUARES = types.Array(types.float32, 1, "C")
LAYOUT = types.UniTuple(types.int64, 5)


def summed_freely(function: F) -> F:
    """Compiled so that a sum of floats may be taken in any order, and so by vector instructions."""
    return cast(F, numba.njit(fastmath={"reassoc", "contract", "nsz"})(function))


@summed_freely
def squared(query: Any, floats: Any, start: Int) -> Any:
    """The squared Euclidean distance of the query to the row that begins at ``start``."""
    row = floats[start : start + len(query)]
    total = np.float32(0)
    for i in range(len(query)):
        apart = query[i] - row[i]
        total += apart * apart
    return total


@compiled
def put(squares: Any, positions: Any, size: Int, square: Any, position: Int) -> None:
    """Add to a heap of ``size`` items with its smallest on top."""
    child = size
    while child > 0:
        parent = (child - 1) >> 1
        if squares[parent] <= square:
            break
        squares[child], positions[child] = squares[parent], positions[parent]
        child = parent
    squares[child], positions[child] = square, position


@compiled
def replace_top(squares: Any, positions: Any, size: Int, square: Any, position: Int) -> None:
    """Replace the smallest of a heap of ``size`` items."""
    parent = 0
    while True:
        child = 2 * parent + 1
        if child >= size:
            break
        if child + 1 < size and squares[child + 1] < squares[child]:
            child += 1
        if squares[child] >= square:
            break
        squares[parent], positions[parent] = squares[child], positions[child]
        parent = child
    squares[parent], positions[parent] = square, position


@compiled
def keep(squares: Any, positions: Any, size: Int, square: Any, position: Int) -> Int:
    """Add a row to the ``size`` nearest, in place of the farthest if they are full; returns how many there are now."""
    # Negative, so that the farthest is on top.
    if size < len(positions):
        put(squares, positions, size, -square, position)
        return size + 1
    replace_top(squares, positions, size, -square, position)
    return size


@compiled
def descend(words: Any, floats: Any, layout: Any, upper: Any, query: Any) -> Int:
    """Walk down to the lowest layer, always to the neighbour that is nearest; returns where it ends."""
    start, stride, row, at, levels = layout
    per_level = upper[len(upper) - 1]
    best = squared(query, floats, start + at * stride + row)
    for level in range(levels, 0, -1):
        moved = True
        while moved:
            moved = False
            links = upper[at] + (level - 1) * per_level
            for i in range(1, (words[links] & COUNT) + 1):
                neighbour = np.int64(words[links + i])
                square = squared(query, floats, start + neighbour * stride + row)
                if square < best:
                    best, at, moved = square, neighbour, True
    return at


@entry(types.int64(WORDS, FLOATS, LAYOUT, POSITIONS, FLOATS, POSITIONS, SQUARES))
def nearest(words: Any, floats: Any, layout: Any, upper: Any, query: Any, positions: Any, squares: Any) -> Int:
    """Fill ``positions``, in no order, with the nearest live rows, ``squares`` with their distances, negative.

    Returns how many there are.

    ``words`` and ``floats`` are the same memory, in which a row begins at ``start + position * stride``: the number
    of its links, the links, and ``row`` words on its numbers. For ``upper`` see ``find_upper``.
    """
    start, stride, row, _, _ = layout
    width = len(positions)
    at = descend(words, floats, layout, upper, query)
    visited = np.zeros(len(upper), np.uint8)
    visited[at] = 1
    open_squares, open_positions = np.empty(len(upper), np.float32), np.empty(len(upper), np.int64)
    open_squares[0], open_positions[0] = squared(query, floats, start + at * stride + row), at
    waiting, size = 1, 0
    if not words[start + at * stride] & DEAD:
        size = keep(squares, positions, 0, open_squares[0], at)
    while waiting:
        square, at = open_squares[0], open_positions[0]
        if size == width and square > -squares[0]:
            break
        waiting -= 1
        replace_top(open_squares, open_positions, waiting, open_squares[waiting], open_positions[waiting])
        links = start + at * stride
        for i in range(1, (words[links] & COUNT) + 1):
            neighbour = np.int64(words[links + i])
            if visited[neighbour]:
                continue
            visited[neighbour] = 1
            square = squared(query, floats, start + neighbour * stride + row)
            if size < width or square < -squares[0]:
                put(open_squares, open_positions, waiting, square, neighbour)
                waiting += 1
                if words[start + neighbour * stride] & DEAD:
                    continue
                size = keep(squares, positions, size, square, neighbour)
    return size


@entry(types.void(FLOATS, types.int64, types.int64, POSITIONS, FLOATS, SQUARES))
def measure(floats: Any, first: Int, stride: Int, positions: Any, query: Any, squares: Any) -> None:
    """Squared distances of the query to the rows at these positions; the first row begins at ``first``."""
    for i in range(len(positions)):
        squares[i] = squared(query, floats, first + positions[i] * stride)


@entry(types.boolean(WORDS, types.int64, types.int64, POSITIONS))
def find_upper(words: Any, start: Int, per_level: Int, upper: Any) -> bool:
    """Fill ``upper`` with where each row's links above the lowest layer begin; false if the file is cut.

    The last of ``upper`` is ``per_level``, the words that a row's links take in one layer.
    """
    at = start
    for i in range(len(upper) - 1):
        if at >= len(words):
            return False
        upper[i] = at + 1
        at += 1 + np.int64(words[at]) // 4
    upper[len(upper) - 1] = per_level
    return bool(at == len(words))


@entry(types.boolean(POSITIONS))
def is_permutation(labels: Any) -> bool:
    """Whether labels are the numbers below their count, each once, in any order."""
    used = np.zeros(len(labels), np.bool_)
    for label in labels:
        if label < 0 or label >= len(labels) or used[label]:
            return False
        used[label] = True
    return True


@compiled
def check_list(words: Any, links: Int, most: Int, count: Int) -> bool:
    """Whether a list of links has a possible length and leads to rows only."""
    length = words[links] & COUNT
    inside = length <= most
    for i in range(1, min(length, most) + 1):
        inside = inside and words[links + i] < count
    return bool(inside)


@entry(types.boolean(WORDS, LAYOUT, types.int64, POSITIONS))
def check_links(words: Any, layout: Any, most: Int, upper: Any) -> bool:
    """Whether no link leads out of the graph, in any layer, and the walk can start on the highest."""
    start, stride, _, at, levels = layout
    count, per_level = len(upper) - 1, upper[len(upper) - 1]
    for row in range(count):
        if not check_list(words, start + row * stride, most, count):
            return False
        size = np.int64(words[upper[row] - 1]) // 4
        if size % per_level != 0:
            return False
        for level in range(size // per_level):
            links = upper[row] + level * per_level
            if not check_list(words, links, per_level - 1, count):
                return False
            # A link of a layer must lead to a row that has this layer.
            for i in range(1, (words[links] & COUNT) + 1):
                other = np.int64(words[links + i])
                if np.int64(words[upper[other] - 1]) // 4 < (level + 1) * per_level:
                    return False
    return bool(count == 0 or np.int64(words[upper[at] - 1]) // 4 >= levels * per_level)
