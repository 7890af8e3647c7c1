"""Postings of visual words, and the votes that a query's keypoints give to pictures through them; compiled.

A keypoint votes for a picture that has one with the same word and a signature that differs in few bits, the more
the fewer (Jegou, Douze and Schmid 2008). Of all votes for a picture only those count that agree on how far it was
turned and scaled, which is their weak geometric consistency.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from search.kernels.compiled import Int, compiled, entry, popcount, types

FARTHEST = 22  # differing bits of 64
WIDTH = 10.0  # bits over which a vote fades
TURN_BINS = 16  # of 22.5 degrees; two neighbours count together
SIZE_BINS = 32  # of half a doubling; two neighbours count together

OFFSETS = types.Array(types.int64, 1, "C")
SLOTS = types.Array(types.int32, 1, "C")
BITS = types.Array(types.uint64, 1, "C")
POSES = types.Array(types.uint16, 1, "C")
FLOATS = types.Array(types.float32, 1, "C")

Weights = NDArray[np.float32]

FADING = np.where(
    np.arange(65) <= FARTHEST, np.exp(-((np.arange(65) / WIDTH) ** 2)) - np.exp(-(((FARTHEST + 1) / WIDTH) ** 2)), 0
).astype(np.float32)


class Postings(NamedTuple):
    """Keypoints in the order of their words: 14 bytes each. ``starts``: where each word begins, and the end.

    ``slots``: which picture; ``poses``: size and direction, a byte each, as they are stored.
    """

    starts: NDArray[np.int64]
    slots: NDArray[np.int32]
    signatures: NDArray[np.uint64]
    poses: NDArray[np.uint16]


class Votes(NamedTuple):
    """Room for votes: for which slot, how the keypoint was scaled and turned, and how much."""

    slots: NDArray[np.int32]
    poses: NDArray[np.uint16]
    weights: NDArray[np.float32]


class QueryKeypoints(NamedTuple):
    """A query's keypoints: words, signatures, and sizes with directions."""

    words: NDArray[np.int64]
    signatures: NDArray[np.uint64]
    poses: NDArray[np.uint16]


def postings(
    words: NDArray[np.int64], slots: NDArray[np.int32], bits: NDArray[np.uint64], poses: NDArray[np.uint16], size: int
) -> Postings:
    """Those of a vocabulary of ``size`` words."""
    order = np.argsort(words, kind="stable")
    starts = np.searchsorted(words[order], np.arange(size + 1))
    return Postings(starts.astype(np.int64), slots[order], bits[order], poses[order])


def merged(first: Postings, second: Postings) -> Postings:
    """Both, those of the first before those of the second."""
    words = [np.repeat(np.arange(len(part.starts) - 1), np.diff(part.starts)) for part in (first, second)]
    slots = np.concatenate((first.slots, second.slots))
    bits = np.concatenate((first.signatures, second.signatures))
    poses = np.concatenate((first.poses, second.poses))
    return postings(np.concatenate(words), slots, bits, poses, len(first.starts) - 1)


def remapped(old: Postings, moved: NDArray[np.int32]) -> Postings:
    """Postings with slot ``s`` replaced by ``moved[s]``; those with -1 are left out."""
    slots = moved[old.slots]
    stay = slots >= 0
    starts = np.concatenate(([0], np.cumsum(stay)))[old.starts]
    return Postings(starts.astype(np.int64), slots[stay], old.signatures[stay], old.poses[stay])


def votes(parts: list[Postings], query: QueryKeypoints, weights: Weights, count: int) -> Weights:
    """The votes for each of ``count`` pictures."""
    most = sum(int(np.sum(part.starts[query.words + 1] - part.starts[query.words])) for part in parts)
    room = Votes(np.empty(most, np.int32), np.empty(most, np.uint16), np.empty(most, np.float32))
    cast = 0
    for part in parts:
        cast = scan(*part, *query, weights, FADING, *room, cast)
    result: Weights = tally(*room, cast, count)
    return result


@compiled
def between(pose: Int, query_pose: Int) -> Int:
    """Bins of the size and turn of one keypoint against another: ``size bin * 256 + turn bin``."""
    size: Any = (np.int64(pose >> 8) - np.int64(query_pose >> 8) + 128) >> 3
    turn = (np.int64(pose & 255) - np.int64(query_pose & 255)) & 255
    size = min(max(size, 0), SIZE_BINS - 1)
    return np.uint16(size << 8 | turn >> 4)


@entry(
    types.int64(
        *(OFFSETS, SLOTS, BITS, POSES),
        *(OFFSETS, BITS, POSES, FLOATS, FLOATS),
        *(SLOTS, POSES, FLOATS, types.int64),
    )
)
def scan(
    starts: Any,
    slots: Any,
    bits: Any,
    poses: Any,
    words: Any,
    query_signatures: Any,
    query_poses: Any,
    weights: Any,
    fading: Any,
    to_slots: Any,
    to_poses: Any,
    to_weights: Any,
    cast: Int,
) -> Int:
    """Write all votes after those that are cast; returns how many there are then."""
    for i in range(len(words)):
        word, query_signature = words[i], query_signatures[i]
        worth = weights[word] * weights[word]
        last = -1
        for at in range(starts[word], starts[word + 1]):
            weight = worth * fading[popcount(bits[at] ^ query_signature)]
            if weight > 0:
                # Of a picture's keypoints with the same word only the nearest gets a vote.
                if slots[at] == last:
                    if weight <= to_weights[cast - 1]:
                        continue
                    cast -= 1
                last = slots[at]
                to_slots[cast], to_weights[cast] = last, weight
                to_poses[cast] = between(poses[at], query_poses[i])
                cast += 1
    return cast


@compiled
def highest(bins: Any, closed: bool) -> Any:
    """The largest sum of two neighbours; the last and the first are such if it is closed."""
    best = bins[len(bins) - 1] + bins[0] if closed else bins[0]
    for i in range(len(bins) - 1):
        best = max(best, bins[i] + bins[i + 1])
    return best


@entry(FLOATS(SLOTS, POSES, FLOATS, types.int64, types.int64))
def tally(slots: Any, poses: Any, weights: Any, cast: Int, count: Int) -> Any:
    """For each picture the votes that agree, by turn or by size, whichever agree less."""
    starts = np.zeros(count + 1, np.int64)
    for at in range(cast):
        starts[slots[at] + 1] += 1
    for slot in range(count):
        starts[slot + 1] += starts[slot]
    order, filled = np.empty(cast, np.int64), starts[:count].copy()
    for at in range(cast):
        order[filled[slots[at]]] = at
        filled[slots[at]] += 1
    result = np.zeros(count, np.float32)
    turns, sizes = np.empty(TURN_BINS, np.float32), np.empty(SIZE_BINS, np.float32)
    for slot in range(count):
        if starts[slot + 1] > starts[slot]:
            turns[:] = 0
            sizes[:] = 0
            for i in range(starts[slot], starts[slot + 1]):
                at = order[i]
                turns[poses[at] & 255] += weights[at]
                sizes[poses[at] >> 8] += weights[at]
            result[slot] = min(highest(turns, True), highest(sizes, False))
    return result
