"""A query's record against those of candidates: is it the same picture, and where does it lie?"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import exp

import numpy as np
from numpy.typing import NDArray

from search.keypoints.codec import Keypoints, mirrored, unpack
from search.keypoints.geometry import NEAR, Mask, Matrix, Places, agreeing, refined, spots
from search.keypoints.matching import Described, described, match
from search.types import Transform

FEWEST = 3  # agreeing matches that are worth a closer look
DOUBTFUL = 5.0  # agreeing spots at which a match is as likely as not
SURENESS = 1.2  # how fast certainty grows with each spot more
BEYOND_DOUBT = 15  # agreeing spots
AT_ONCE = 6  # candidates
THREADS = 2


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a query lies in a candidate. ``pairs``: ``(m, 2)`` matched keypoints; ``mask``: those that agree.

    ``matrix`` maps pixels of the query's working picture to those of the candidate's; for a mirrored match, those of
    the mirrored query. ``spots``: in how many parts of both pictures matches agree.
    """

    pairs: NDArray[np.int32]
    mask: Mask
    matrix: Matrix
    mirrored: bool
    spots: int

    @property
    def inliers(self) -> int:
        return int(np.count_nonzero(self.mask))

    @property
    def certain(self) -> bool:
        """Whether it is more likely than not that this is no chance."""
        return self.spots >= DOUBTFUL


@dataclass(frozen=True, slots=True)
class Judgement:
    """An agreement, its distance 0..1, and the transform in shares of both sizes."""

    found: Agreement
    distance: float
    transform: Transform | None


NOTHING = Agreement(np.empty((0, 2), np.int32), np.empty(0, np.bool_), np.eye(3), False, 0)
UNSEEN = Judgement(NOTHING, 1.0, None)


@dataclass(frozen=True, slots=True)
class Side:
    """One picture, ready to be compared: its keypoints as numbers, as sketches, and as x, y, size, direction."""

    found: Keypoints
    described: Described
    places: Places


def side(record: bytes) -> Side:
    found = unpack(record)
    places = np.column_stack((found.points, found.sizes, found.turns)).astype(np.float32)
    return Side(found, described(found), np.ascontiguousarray(places))


def compare(queries: Sequence[Side], candidate: Side) -> Agreement:
    """The better agreement of the query as it is and mirrored, in this order."""
    both = [agree(query, candidate, over) for query, over in zip(queries, (False, True), strict=True)]
    return max(both, key=lambda one: one.spots)


def forms(query: bytes) -> tuple[Side, Side]:
    """The query as it is, and mirrored."""
    return side(query), side(mirrored(query))


def agree(query: Side, candidate: Side, over: bool = False) -> Agreement:
    """What the matches of a query and a candidate agree on."""
    pairs = match(query.described, candidate.described)
    if len(pairs) < FEWEST:
        return NOTHING
    one, other = query.places[pairs[:, 0]], candidate.places[pairs[:, 1]]
    longest = max(candidate.found.width, candidate.found.height)
    matrix, mask = agreeing(one, other, NEAR * longest)
    if np.count_nonzero(mask) < FEWEST:
        return NOTHING
    return Agreement(pairs, mask, matrix, over, seen(query, candidate, one[mask], other[mask]))


def seen(query: Side, candidate: Side, one: Places, other: Places) -> int:
    """In how many spots matches agree, in the picture where these are fewer."""
    return min(
        spots(places, max(picture.found.width, picture.found.height))
        for picture, places in ((query, one), (candidate, other))
    )


def polished(query: Side, candidate: Side, rough: Agreement) -> Agreement:
    """The same with a homography in place of the similarity."""
    one, other = query.places[rough.pairs[:, 0]], candidate.places[rough.pairs[:, 1]]
    reach = NEAR * max(candidate.found.width, candidate.found.height)
    matrix, mask = refined(rough.matrix, one, other, rough.mask, reach)
    return Agreement(rough.pairs, mask, matrix, rough.mirrored, rough.spots)


def verify(query: bytes, stored: Sequence[bytes], over: Sequence[int] | None = None) -> list[Judgement]:
    """What is to be said of each candidate, the most promising of which come first.

    ``over``: whether it was the mirrored query that found each; both are tried where that is not known.
    When one is beyond doubt, and the next ``AT_ONCE`` have nothing to do with the query, the rest is not looked at.
    """
    sides, found = forms(query), list[Judgement]()
    asked = list(zip(stored, [None] * len(stored) if over is None else over, strict=True))
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(stored), AT_ONCE):
            part = list(pool.map(lambda one: judged(sides, side(one[0]), one[1]), asked[start : start + AT_ONCE]))
            done = any(one.found.spots >= BEYOND_DOUBT for one in found) and not any(one.transform for one in part)
            found += part
            if done:
                break
    return found + [UNSEEN] * (len(stored) - len(found))


def judged(queries: tuple[Side, Side], candidate: Side, over: int | None = None) -> Judgement:
    """One candidate; its transform only if the agreement is more likely than not to mean something."""
    found = compare(queries, candidate) if over is None else agree(queries[over], candidate, bool(over))
    if not found.certain:
        return Judgement(found, distance(found.spots), None)
    found = polished(queries[found.mirrored], candidate, found)
    return Judgement(
        found, distance(found.spots + found.inliers / 1000), transform(found, queries[0].found, candidate.found)
    )


def distance(agreed: float) -> float:
    """Agreeing spots -> 0..1, the chance that it is not the same picture: half at ``DOUBTFUL``."""
    return 1 / (1 + exp(SURENESS * (agreed - DOUBTFUL))) if agreed else 1.0


def transform(found: Agreement, query: Keypoints, candidate: Keypoints) -> Transform:
    """Row by row the homography from shares of the query's size to shares of the candidate's."""
    start = np.diag([query.width, query.height, 1.0])
    if found.mirrored:
        start = np.array([[-1, 0, query.width - 1], [0, 1, 0], [0, 0, 1.0]]) @ start
    end = np.diag([1 / candidate.width, 1 / candidate.height, 1.0])
    matrix = end @ found.matrix @ start
    return tuple((matrix / matrix[2, 2]).ravel().tolist())
