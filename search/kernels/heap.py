"""A bounded heap of the nearest rows seen so far, for compiled kernels; the farthest is on top, at 0."""

from __future__ import annotations

from typing import Any

from search.kernels.compiled import Int, compiled


@compiled
def farther(distances: Any, keys: Any, one: Int, other: Int) -> bool:
    """Whether heap entry ``one`` is the worse answer: a larger distance, or a larger key at the same."""
    if distances[one] != distances[other]:
        return bool(distances[one] > distances[other])
    return bool(keys[one] > keys[other])


@compiled
def swap(distances: Any, keys: Any, one: Int, other: Int) -> None:
    distances[one], distances[other] = distances[other], distances[one]
    keys[one], keys[other] = keys[other], keys[one]


@compiled
def rise(distances: Any, keys: Any, place: Int) -> None:
    while place > 0 and farther(distances, keys, place, (place - 1) // 2):
        swap(distances, keys, place, (place - 1) // 2)
        place = (place - 1) // 2


@compiled
def sink(distances: Any, keys: Any, size: Int) -> None:
    place = 0
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and farther(distances, keys, child + 1, child):
            child += 1
        if not farther(distances, keys, child, place):
            break
        swap(distances, keys, child, place)
        place = child


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
