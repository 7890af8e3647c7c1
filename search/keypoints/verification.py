"""Verifies candidates: do their keypoints show the same picture as the query's, and how does one lie in the other?"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import exp

import numpy as np
from numpy.typing import NDArray

from search.keypoints.codec import Keypoints, mirrored, unpack
from search.keypoints.geometry import (
    NEAR,
    Mask,
    Matrix,
    Positions,
    best_similarity,
    distinct_inliers,
    refined,
)
from search.keypoints.matching import Described, described, match
from search.types import Transform

FEWEST = 3  # inliers that are worth a refinement
DOUBTFUL = 5.0  # distinct inliers at which a match is as likely as not
STEEPNESS = 1.2  # of the logistic curve from distinct inliers to distance
BEYOND_DOUBT = 15  # distinct inliers
AT_ONCE = 6  # candidates
THREADS = 2


@dataclass(frozen=True, slots=True)
class Alignment:
    """How a query lies in a candidate. ``pairs``: ``(m, 2)`` matched keypoints; ``mask``: which of them are inliers.

    ``matrix`` maps pixels of the query's working picture to those of the candidate's; for a mirrored match, those of
    the mirrored query. ``distinct``: inliers in different parts of the picture, see ``distinct_inliers``.
    """

    pairs: NDArray[np.int32]
    mask: Mask
    matrix: Matrix
    mirrored: bool
    distinct: int

    @property
    def inliers(self) -> int:
        return int(np.count_nonzero(self.mask))

    @property
    def likely(self) -> bool:
        """Whether it is more likely than not that the keypoints do not match by chance."""
        return self.distinct >= DOUBTFUL


@dataclass(frozen=True, slots=True)
class Verification:
    """An alignment, its distance 0..1, and the transform in shares of both sizes."""

    alignment: Alignment
    distance: float
    transform: Transform | None


NO_ALIGNMENT = Alignment(np.empty((0, 2), np.int32), np.empty(0, np.bool_), np.eye(3), False, 0)
NOT_VERIFIED = Verification(NO_ALIGNMENT, 1.0, None)


@dataclass(frozen=True, slots=True)
class Side:
    """One picture, ready to be matched: its keypoints, their descriptors, and their x, y, size and direction."""

    keypoints: Keypoints
    described: Described
    positions: Positions

    @property
    def longest(self) -> int:
        """Longer side of the working picture, in pixels."""
        return max(self.keypoints.width, self.keypoints.height)


def side_of(stored: bytes) -> Side:
    """Stored keypoints, ready to be matched."""
    keypoints = unpack(stored)
    positions = np.column_stack((keypoints.points, keypoints.sizes, keypoints.directions)).astype(np.float32)
    return Side(keypoints, described(keypoints), np.ascontiguousarray(positions))


def forms(query: bytes) -> tuple[Side, Side]:
    """The query as it is, and mirrored."""
    return side_of(query), side_of(mirrored(query))


def best_alignment(queries: Sequence[Side], candidate: Side) -> Alignment:
    """The better alignment of the query as it is and mirrored, in this order."""
    both = [align(query, candidate, flipped) for query, flipped in zip(queries, (False, True), strict=True)]
    return max(both, key=lambda alignment: alignment.distinct)


def align(query: Side, candidate: Side, flipped: bool = False) -> Alignment:
    """The similarity that most matches of a query and a candidate support; ``flipped``: the query is mirrored."""
    pairs = match(query.described, candidate.described)
    if len(pairs) < FEWEST:
        return NO_ALIGNMENT
    source, target = query.positions[pairs[:, 0]], candidate.positions[pairs[:, 1]]
    matrix, mask = best_similarity(source, target, NEAR * candidate.longest)
    if np.count_nonzero(mask) < FEWEST:
        return NO_ALIGNMENT
    # Of the two pictures the one counts in which the inliers lie closer together.
    distinct = min(distinct_inliers(source[mask], query.longest), distinct_inliers(target[mask], candidate.longest))
    return Alignment(pairs, mask, matrix, flipped, distinct)


def polished(query: Side, candidate: Side, rough: Alignment) -> Alignment:
    """The same with a homography in place of the similarity."""
    source, target = query.positions[rough.pairs[:, 0]], candidate.positions[rough.pairs[:, 1]]
    matrix, mask = refined(rough.matrix, source, target, rough.mask, NEAR * candidate.longest)
    return Alignment(rough.pairs, mask, matrix, rough.mirrored, rough.distinct)


def verify(query: bytes, stored: Sequence[bytes], flipped: Sequence[int] | None = None) -> list[Verification]:
    """Each candidate verified against the query; the most promising candidates come first.

    ``flipped``: 1 where the mirrored query found the candidate, 0 where the query as it is; both are tried if it is
    not given. When one candidate is beyond doubt, and the next ``AT_ONCE`` have nothing to do with the query, the rest
    are not compared: they are at distance 1.
    """
    queries, results = forms(query), list[Verification]()
    candidates = list(zip(stored, [None] * len(stored) if flipped is None else flipped, strict=True))
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(stored), AT_ONCE):
            batch = candidates[start : start + AT_ONCE]
            part = list(pool.map(lambda each: verified(queries, side_of(each[0]), each[1]), batch))
            certain = any(result.alignment.distinct >= BEYOND_DOUBT for result in results)
            done = certain and not any(result.transform for result in part)
            results += part
            if done:
                break
    return results + [NOT_VERIFIED] * (len(stored) - len(results))


def verified(queries: tuple[Side, Side], candidate: Side, flipped: int | None = None) -> Verification:
    """One candidate; its transform only if the match is more likely than not to be no chance."""
    if flipped is None:
        alignment = best_alignment(queries, candidate)
    else:
        alignment = align(queries[flipped], candidate, bool(flipped))
    if not alignment.likely:
        return Verification(alignment, distance(alignment.distinct), None)
    alignment = polished(queries[alignment.mirrored], candidate, alignment)
    # Thousandths order candidates with equally many distinct inliers.
    away = distance(alignment.distinct + alignment.inliers / 1000)
    return Verification(alignment, away, transform(alignment, queries[0].keypoints, candidate.keypoints))


def distance(distinct: float) -> float:
    """Distinct inliers -> 0..1, the chance that it is not the same picture: half at ``DOUBTFUL``."""
    return 1 / (1 + exp(STEEPNESS * (distinct - DOUBTFUL))) if distinct else 1.0


def transform(alignment: Alignment, query: Keypoints, candidate: Keypoints) -> Transform:
    """Row by row the homography from shares of the query's size to shares of the candidate's."""
    start = np.diag([query.width, query.height, 1.0])
    if alignment.mirrored:
        start = np.array([[-1, 0, query.width - 1], [0, 1, 0], [0, 0, 1.0]]) @ start
    end = np.diag([1 / candidate.width, 1 / candidate.height, 1.0])
    matrix = end @ alignment.matrix @ start
    return tuple((matrix / matrix[2, 2]).ravel().tolist())
