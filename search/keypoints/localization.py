"""Where a query lies in a result, in numbers that people understand, and the matched keypoints to draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.keypoints.codec import Keypoints
from search.keypoints.geometry import mapped
from search.keypoints.verification import best_alignment, forms, polished, side_of, transform
from search.types import Transform

Point = tuple[float, float]

GRID = (np.stack(np.meshgrid(np.arange(64), np.arange(64)), axis=-1).reshape(-1, 2) + 0.5) / 64
SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)


@dataclass(frozen=True, slots=True)
class Placement:
    """``outline``: the query's corners in shares of the result, clockwise from the query's upper left.

    ``scale``: how many pixels of the result a pixel of the query takes. ``turn``: degrees clockwise, 0 to 360; of the
    mirrored query if ``mirrored``. ``inside``: share of the query that the result shows; ``covered``: share of the
    result that the query shows.
    """

    outline: tuple[Point, ...]
    scale: float
    turn: float
    mirrored: bool
    inside: float
    covered: float


@dataclass(frozen=True, slots=True)
class Matched:
    """``pairs``: ``(m, 4)`` x and y in the query, x and y in the result, all in shares; ``inliers``: ``(m,)``.

    ``transform`` is None if they may fit by chance.
    """

    pairs: NDArray[np.float64]
    inliers: NDArray[np.bool_]
    mirrored: bool
    transform: Transform | None


def placement(matrix: Transform, query: tuple[int, int], result: tuple[int, int]) -> Placement:
    """What a transform between shares means for pictures of these sizes, ``(width, height)`` in pixels."""
    shares = np.reshape(matrix, (3, 3))
    pixels = np.diag([*result, 1.0]) @ shares @ np.diag([1 / query[0], 1 / query[1], 1.0])
    across, down = _steps(pixels, (query[0] / 2, query[1] / 2))
    area = float(across[0] * down[1] - across[1] * down[0])
    # A mirrored picture is turned after it was mirrored, left to right.
    across = -across if area < 0 else across
    corners = mapped(shares, SQUARE)
    return Placement(
        outline=tuple((float(x), float(y)) for x, y in corners),
        scale=abs(area) ** 0.5,
        turn=float(np.degrees(np.arctan2(across[1], across[0])) % 360),
        mirrored=area < 0,
        inside=_shared(shares),
        covered=_shared(np.linalg.inv(shares)),
    )


def match_keypoints(query: bytes, stored: bytes) -> Matched:
    """The matched keypoints of two stored features, aligned as ``verify`` aligns them."""
    queries, candidate = forms(query), side_of(stored)
    alignment = best_alignment(queries, candidate)
    if len(alignment.pairs) == 0:
        return Matched(np.empty((0, 4)), np.empty(0, np.bool_), False, None)
    alignment = polished(queries[alignment.mirrored], candidate, alignment)
    # The mirrored query has the same keypoints in the same order.
    query_keypoints, candidate_keypoints = queries[0].keypoints, candidate.keypoints
    source = query_keypoints.points[alignment.pairs[:, 0]] / _size(query_keypoints)
    target = candidate_keypoints.points[alignment.pairs[:, 1]] / _size(candidate_keypoints)
    likely = transform(alignment, query_keypoints, candidate_keypoints) if alignment.likely else None
    return Matched(np.column_stack((source, target)), alignment.mask, alignment.mirrored, likely)


def _size(keypoints: Keypoints) -> NDArray[np.float64]:
    return np.array([keypoints.width, keypoints.height], np.float64)


def _steps(matrix: NDArray[np.float64], at: Point) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where a step of one pixel to the right, and one down, leads."""
    x, y = at
    start, right, below = mapped(matrix, np.array([[x, y], [x + 1, y], [x, y + 1]]))
    return right - start, below - start


def _shared(matrix: NDArray[np.float64]) -> float:
    """The share of a picture that a transform puts into the other, by points all over it."""
    flat = np.column_stack((GRID, np.ones(len(GRID)))) @ matrix.T
    # What lies behind the camera is not visible.
    depth = np.where(flat[:, 2] > 0, flat[:, 2], np.nan)[:, np.newaxis]
    return float(np.mean(np.all(np.abs(flat[:, :2] / depth - 0.5) <= 0.5, axis=1)))
