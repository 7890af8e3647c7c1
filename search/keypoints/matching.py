"""Which keypoints of two pictures look alike: compiled, and run without Python's lock.

All pairs are compared by sketches of 256 bits; descriptors themselves, only those of the few nearest sketches. A
keypoint is matched if its best is clearly better than its next best elsewhere (Lowe 2004), and the best both ways.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from search.kernels.compiled import Int, compiled, entry, popcount, types
from search.keypoints.codec import ORB, Codes, Keypoints

WORDS = 4
NEAREST = 4  # sketches of which the descriptors are compared
RATIO = 0.85  # of distances, as Lowe has it
LEVELS = (2, 5)  # a sketch tells of each RootSIFT number whether it reaches these
APART = 3.0  # pixels; nearer keypoints are the same spot in two sizes or directions

BITS = types.Array(types.uint64, 2, "C")
CODES = types.Array(types.uint8, 2, "C")
POINTS = types.Array(types.float32, 2, "C")
PAIRS = types.Array(types.int32, 2, "C")


class Described(NamedTuple):
    """What is compared: sketches, descriptors, places."""

    bits: NDArray[np.uint64]
    codes: Codes
    points: NDArray[np.float32]


def described(found: Keypoints) -> Described:
    if found.kind == ORB:
        packed = np.packbits(found.codes, axis=1)
    else:
        packed = np.packbits(np.concatenate([found.codes >= level for level in LEVELS], axis=1), axis=1)
    bits = np.ascontiguousarray(packed).view(np.uint64).reshape(-1, WORDS)
    return Described(bits, np.ascontiguousarray(found.codes), np.ascontiguousarray(found.points))


def match(one: Described, other: Described) -> NDArray[np.int32]:
    """``(m, 2)``: keypoints of the one and of the other that look alike, each at most once."""
    pairs: NDArray[np.int32] = matched(*one, *other, RATIO * RATIO)
    return pairs


@compiled
def put(sketches: Any, places: Any, apart: Int, place: Int) -> None:
    """Take up a sketch among the nearest, which are in ascending order."""
    at = len(sketches) - 1
    while at > 0 and sketches[at - 1] > apart:
        sketches[at], places[at] = sketches[at - 1], places[at - 1]
        at -= 1
    sketches[at], places[at] = apart, place


@compiled
def square(one: Any, other: Any) -> Int:
    """Squared distance of two descriptors."""
    total = np.int32(0)
    for i in range(len(one)):
        apart = np.int16(one[i]) - np.int16(other[i])
        total += np.int32(apart) * np.int32(apart)
    return np.int64(total)


@compiled
def best_two(code: Any, codes: Any, points: Any, places: Any) -> Any:
    """The nearest of some descriptors, its squared distance, and that of the next at another spot."""
    best, nearest, second = -1, np.int64(1) << 40, np.int64(1) << 40
    for place in places:
        apart = square(code, codes[place])
        if best >= 0:
            dx, dy = points[place, 0] - points[best, 0], points[place, 1] - points[best, 1]
            same = dx * dx + dy * dy < APART * APART
        else:
            same = True
        if apart < nearest:
            if not same:
                second = nearest
            best, nearest = place, apart
        elif apart < second and not same:
            second = apart
    return best, nearest, second


@entry(PAIRS(BITS, CODES, POINTS, BITS, CODES, POINTS, types.float64))
def matched(bits: Any, codes: Any, points: Any, others: Any, other_codes: Any, other_points: Any, ratio: Any) -> Any:
    few, many = len(bits), len(others)
    apart = np.empty(many, np.int16)
    size = min(NEAREST, many)
    sketches, places = np.empty(size, np.int16), np.empty(size, np.int32)
    owner, owned = np.full(many, -1, np.int32), np.empty(many, np.int64)
    for i in range(few if many > 1 else 0):
        a, b, c, d = bits[i, 0], bits[i, 1], bits[i, 2], bits[i, 3]
        for j in range(many):
            low = popcount(a ^ others[j, 0]) + popcount(b ^ others[j, 1])
            apart[j] = low + popcount(c ^ others[j, 2]) + popcount(d ^ others[j, 3])
        sketches[:] = 999
        places[:] = 0
        for j in range(many):
            if apart[j] < sketches[size - 1]:
                put(sketches, places, apart[j], j)
        best, nearest, second = best_two(codes[i], other_codes, other_points, places)
        if nearest < ratio * second and (owner[best] < 0 or nearest < owned[best]):
            owner[best], owned[best] = i, nearest
    pairs = np.empty((many, 2), np.int32)
    kept = 0
    for j in range(many):
        if owner[j] >= 0:
            pairs[kept, 0], pairs[kept, 1] = owner[j], j
            kept += 1
    return pairs[:kept].copy()
