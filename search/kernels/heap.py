"""A bounded heap of the nearest rows so far, for compiled kernels; the farthest is on top, at 0."""

from __future__ import annotations

from typing import Any

from search.kernels.compiled import Int, compiled


@compiled
def farther(distances: Any, keys: Any, first: Int, second: Int) -> bool:
    """Whether heap entry ``first`` is the worse answer: a larger distance, or a larger key at the same."""
    if distances[first] != distances[second]:
        return bool(distances[first] > distances[second])
    return bool(keys[first] > keys[second])


@compiled
def swap(distances: Any, keys: Any, first: Int, second: Int) -> None:
    """Exchange two entries."""
    distances[first], distances[second] = distances[second], distances[first]
    keys[first], keys[second] = keys[second], keys[first]


@compiled
def rise(distances: Any, keys: Any, position: Int) -> None:
    """Move an entry up until its parent is farther: the farthest is at position 0."""
    while position > 0 and farther(distances, keys, position, (position - 1) // 2):
        swap(distances, keys, position, (position - 1) // 2)
        position = (position - 1) // 2


@compiled
def sink(distances: Any, keys: Any, size: Int) -> None:
    """Move the first of ``size`` entries down until no child is farther."""
    position = 0
    while 2 * position + 1 < size:
        child = 2 * position + 1
        if child + 1 < size and farther(distances, keys, child + 1, child):
            child += 1
        if not farther(distances, keys, child, position):
            break
        swap(distances, keys, child, position)
        position = child


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
def rank(distances: Any, keys: Any, size: Int) -> None:
    """Turn the first ``size`` entries of any order into nearest first, ties by key (heapsort)."""
    for end in range(1, size):
        rise(distances, keys, end)
    for end in range(size - 1, 0, -1):
        swap(distances, keys, 0, end)
        sink(distances, keys, end)


@compiled
def among(allowed: Any, key: Int) -> bool:
    """Whether a key is in an ascending array."""
    low, high = 0, len(allowed)
    while low < high:
        middle = (low + high) // 2
        if allowed[middle] < key:
            low = middle + 1
        else:
            high = middle
    return bool(low < len(allowed) and allowed[low] == key)
