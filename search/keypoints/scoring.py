"""Index rows of keypoints -> postings, and the votes of a query -> distances, by the visual words of a vocabulary."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.keypoints.codec import POINT, codes, raw_points, vectors
from search.keypoints.vocabulary import AT_ONCE, Signatures, Vocabulary, Words, shipped
from search.keypoints.voting import Postings, QueryKeypoints, postings, votes

STRONG = 0.1  # of the way from 1 to 0, which the most votes can go: sharing words is not being the same

Rows = NDArray[Any]
Distances = NDArray[np.float64]


def distances_by_votes(kind: int, query: Rows, rows: Rows) -> Distances:
    """Distances ``(n,)`` of index rows of a kind of keypoint to one query, by the shipped vocabulary."""
    vocabulary = shipped(kind)
    counts = np.array([len(raw_points(row)) for row in rows], np.int32)
    votes_given = votes_for([posted(kind, vocabulary, rows)], kind, vocabulary, query, len(rows))
    return distances(query, votes_given, counts, np.array([digest(row) for row in rows], np.uint64))


def posted(kind: int, vocabulary: Vocabulary, rows: Rows, first: int = 0) -> Postings:
    """Postings of index rows, the first of which is in slot ``first``."""
    points = [raw_points(row) for row in rows]
    slots = np.repeat(np.arange(first, first + len(points), dtype=np.int32), [len(each) for each in points])
    points_of_all = np.concatenate([np.empty(0, POINT), *points])
    words, bits = np.empty(len(points_of_all), np.int64), np.empty(len(points_of_all), np.uint64)
    for start in range(0, len(points_of_all), AT_ONCE):
        block = slice(start, start + AT_ONCE)
        words[block], bits[block] = _quantized(kind, vocabulary, points_of_all[block])
    return postings(words, slots, bits, poses(points_of_all), len(vocabulary))


def votes_for(parts: list[Postings], kind: int, vocabulary: Vocabulary, query: Rows, count: int) -> NDArray[np.float32]:
    """The votes that a query's keypoints give to each of ``count`` slots."""
    points = raw_points(query)
    return votes(parts, QueryKeypoints(*_quantized(kind, vocabulary, points), poses(points)), vocabulary.weights, count)


def distances(
    query: Rows, votes_given: NDArray[np.float32], counts: NDArray[np.int32], digests: NDArray[np.uint64]
) -> Distances:
    """Votes for pictures with so many keypoints -> 0.9 to 1; 0 for a picture with the query's very keypoints.

    Votes are divided by the root of the number of keypoints, because a picture with many gets some by chance.
    """
    strengths = votes_given / np.sqrt(np.maximum(counts, 1).astype(np.float64))
    by_votes = 1 - STRONG * strengths / (1 + strengths)
    result: Distances = np.where((digests == digest(query)) & (counts > 0), 0.0, by_votes)
    return result


def digest(row: Rows) -> int:
    """64 bits that rows with the same content share."""
    return int.from_bytes(blake2b(row.tobytes(), digest_size=8).digest(), "little")


def poses(points: NDArray[np.void]) -> NDArray[np.uint16]:
    """Size and direction of each keypoint in one number, a byte each."""
    both: NDArray[np.uint16] = points["size"].astype(np.uint16) << np.uint16(8) | points["turn"]
    return both


def _quantized(kind: int, vocabulary: Vocabulary, points: NDArray[np.void]) -> tuple[Words, Signatures]:
    """Word and signature of each keypoint."""
    return vocabulary.quantize(vectors(kind, codes(kind, points["descriptor"])))
