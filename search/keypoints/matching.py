"""Which keypoints of two pictures look alike: compiled, and run without Python's lock.

All pairs are compared by binary codes of 256 bits; the descriptors themselves, only where codes are nearest. A keypoint
is matched if its best is clearly better than its next best elsewhere (Lowe 2004), and each is the other's best.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from search.kernels.compiled import Int, compiled, entry, popcount, types
from search.keypoints.codec import ORB, Codes, Keypoints

WORDS = 4
NEAREST = 4  # binary codes of which the descriptors are compared
RATIO = 0.85  # of distances, as Lowe has it
LEVELS = (2, 5)  # a binary code has a bit for each RootSIFT number and level that it reaches
APART = 3.0  # pixels; nearer keypoints are one point in two sizes or directions

BITS = types.Array(types.uint64, 2, "C")
CODES = types.Array(types.uint8, 2, "C")
POINTS = types.Array(types.float32, 2, "C")
PAIRS = types.Array(types.int32, 2, "C")


class Described(NamedTuple):
    """What is compared: binary codes ``(n, 4)``, descriptor numbers, and positions in pixels."""

    bits: NDArray[np.uint64]
    codes: Codes
    points: NDArray[np.float32]


def described(keypoints: Keypoints) -> Described:
    """Keypoints as matching reads them: 256 bits each for the first look, exact codes for the second."""
    if keypoints.kind == ORB:
        packed = np.packbits(keypoints.codes, axis=1)
    else:
        packed = np.packbits(np.concatenate([keypoints.codes >= level for level in LEVELS], axis=1), axis=1)
    bits = np.ascontiguousarray(packed).view(np.uint64).reshape(-1, WORDS)
    return Described(bits, np.ascontiguousarray(keypoints.codes), np.ascontiguousarray(keypoints.points))


def match(query: Described, candidate: Described) -> NDArray[np.int32]:
    """``(m, 2)``: numbers of a keypoint of the query and of one of the candidate that look alike, each at most once."""
    pairs: NDArray[np.int32] = matched(*query, *candidate, RATIO * RATIO)
    return pairs


@compiled
def put(nearest_codes: Any, positions: Any, apart: Int, position: Int) -> None:
    """Insert a code's distance among the nearest, which are in ascending order; the farthest drops out."""
    at = len(nearest_codes) - 1
    while at > 0 and nearest_codes[at - 1] > apart:
        nearest_codes[at], positions[at] = nearest_codes[at - 1], positions[at - 1]
        at -= 1
    nearest_codes[at], positions[at] = apart, position


@compiled
def square(first: Any, second: Any) -> Int:
    """Squared distance of two descriptors."""
    total = np.int32(0)
    for i in range(len(first)):
        apart = np.int16(first[i]) - np.int16(second[i])
        total += np.int32(apart) * np.int32(apart)
    return np.int64(total)


@compiled
def best_two(code: Any, codes: Any, points: Any, positions: Any) -> Any:
    """The nearest of some descriptors, its squared distance, and that of the next at another point."""
    best, nearest, second = -1, np.int64(1) << 40, np.int64(1) << 40
    for position in positions:
        apart = square(code, codes[position])
        if best >= 0:
            dx, dy = points[position, 0] - points[best, 0], points[position, 1] - points[best, 1]
            same = dx * dx + dy * dy < APART * APART
        else:
            same = True
        if apart < nearest:
            if not same:
                second = nearest
            best, nearest = position, apart
        elif apart < second and not same:
            second = apart
    return best, nearest, second


@entry(PAIRS(BITS, CODES, POINTS, BITS, CODES, POINTS, types.float64))
def matched(bits: Any, codes: Any, points: Any, others: Any, other_codes: Any, other_points: Any, ratio: Any) -> Any:
    """Pairs of keypoints that pass the ratio test (Lowe, 2004), each of the second picture at most once."""
    few, many = len(bits), len(others)
    apart = np.empty(many, np.int16)
    size = min(NEAREST, many)
    nearest_codes, positions = np.empty(size, np.int16), np.empty(size, np.int32)
    owner, owned = np.full(many, -1, np.int32), np.empty(many, np.int64)
    for i in range(few if many > 1 else 0):
        a, b, c, d = bits[i, 0], bits[i, 1], bits[i, 2], bits[i, 3]
        for j in range(many):
            low = popcount(a ^ others[j, 0]) + popcount(b ^ others[j, 1])
            apart[j] = low + popcount(c ^ others[j, 2]) + popcount(d ^ others[j, 3])
        nearest_codes[:] = 999
        positions[:] = 0
        for j in range(many):
            if apart[j] < nearest_codes[size - 1]:
                put(nearest_codes, positions, apart[j], j)
        best, nearest, second = best_two(codes[i], other_codes, other_points, positions)
        if nearest < ratio * second and (owner[best] < 0 or nearest < owned[best]):
            owner[best], owned[best] = i, nearest
    pairs = np.empty((many, 2), np.int32)
    count = 0
    for j in range(many):
        if owner[j] >= 0:
            pairs[count, 0], pairs[count, 1] = owner[j], j
            count += 1
    return pairs[:count].copy()
