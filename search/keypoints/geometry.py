"""Do matched keypoints agree on where one picture lies in the other?

A keypoint has a size and a direction, so each match alone says how the picture was moved, scaled and turned: every
match is asked how many others agree (all of them, so nothing is left to chance). What they agree on is refined to a
homography by MAGSAC++ (Barath et al. 2020, "MAGSAC++, a fast, reliable and accurate robust estimator").
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from search.kernels.compiled import Int, compiled, entry, types

NEAR = 0.04  # share of the longer side by which a match may be off, for a similarity to explain it
EXACT = 0.01  # the same for the refined homography
STRETCH = 1.7  # factor by which sizes may disagree
TWIST = 30.0  # degrees by which directions may disagree
ENOUGH = 8  # matches from which a homography is found; fewer get an affine map, or the similarity
CELLS = 16  # matches in the same of so many parts of the longer side count once

MATCHES = types.Array(types.float32, 2, "C")
MASK = types.Array(types.boolean, 1, "C")

Places = NDArray[np.float32]
Mask = NDArray[np.bool_]
Matrix = NDArray[np.float64]


def agreeing(one: Places, other: Places, reach: float) -> tuple[Matrix, Mask]:
    """The similarity that most matches agree on, ``(3, 3)``, and which these are.

    ``(m, 4)`` each: x, y, size, and direction in degrees; ``reach`` is the distance in ``other`` that is still near.
    """
    best = int(most_agreed(one, other, reach))
    mask: Mask = supporters(one, other, reach, best)
    return similarity(one[best], other[best]), mask


def similarity(one: Places, other: Places) -> Matrix:
    """The map of one keypoint, x, y, size and direction, to another."""
    scale, angle = float(other[2] / one[2]), np.deg2rad(float(other[3] - one[3]))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = other[:2] - turn @ one[:2]
    return np.vstack((np.column_stack((turn, shift)), (0.0, 0.0, 1.0)))


def refined(rough: Matrix, one: Places, other: Places, mask: Mask, reach: float) -> tuple[Matrix, Mask]:
    """The map that explains most matches, and which: a homography of all or of the agreeing ones, or the rough map.

    A strong perspective looks like a similarity in one part of the picture only.
    """
    best, explained, most = rough, mask, np.count_nonzero(mask & (distances(rough, one, other) < reach / 4))
    # The second has more to choose from, by chance too.
    for chosen, better in ((mask, 1.0), (np.ones(len(one), np.bool_), 1.1)):
        found = fitted(one[chosen, :2], other[chosen, :2], reach)
        if found is None:
            continue
        apart = distances(found, one, other)
        exact, close = np.count_nonzero(apart < reach / 4), apart < reach / 2
        if exact >= better * most and sound(found, one[close, :2]):
            best, explained, most = found, close, exact
    return best, explained


def fitted(start: Places, end: Places, reach: float) -> Matrix | None:
    """A homography, or with few points an affine map; None if they agree on none."""
    found: Any = None
    if len(start) >= ENOUGH:
        found, _ = cv2.findHomography(start, end, cv2.USAC_MAGSAC, reach * EXACT / NEAR, None, 2000, 0.999)
    elif len(start) >= 4:
        found, _ = cv2.estimateAffine2D(start, end, method=cv2.RANSAC, ransacReprojThreshold=reach / 2)
        found = None if found is None else np.vstack((found, (0.0, 0.0, 1.0)))
    return None if found is None else np.asarray(found, np.float64)


def distances(matrix: Matrix, one: Places, other: Places) -> NDArray[np.float64]:
    """How far from its match each keypoint is put."""
    apart: NDArray[np.float64] = np.linalg.norm(mapped(matrix, one[:, :2]) - other[:, :2], axis=1)
    return apart


def mapped(matrix: Matrix, points: NDArray[Any]) -> NDArray[np.float64]:
    """``(n, 2)`` points seen through a homography; far away for those that it sends to infinity."""
    flat = np.column_stack((points, np.ones(len(points)))) @ matrix.T
    depth = np.where(np.abs(flat[:, 2:]) < 1e-9, 1e-9, flat[:, 2:])
    seen: NDArray[np.float64] = flat[:, :2] / depth
    return seen


def sound(matrix: Matrix, points: NDArray[Any]) -> bool:
    """Whether a map keeps these points before the eye and unmirrored, as a flat picture is seen by a camera."""
    depth = points @ matrix[2, :2] + matrix[2, 2]
    return bool(np.isfinite(matrix).all() and (depth > 0).all() and np.linalg.det(matrix) > 0)


def spots(points: Places, longest: float) -> int:
    """How many parts of a picture have a point; many points on one spot are little proof."""
    parts = (points[:, :2] * (CELLS / longest)).astype(np.int64)
    return len(np.unique(parts[:, 0] * 4 * CELLS + parts[:, 1]))


@compiled
def agrees(one: Any, other: Any, model: Any, i: Int, j: Int, reach: Any) -> bool:
    """Whether match ``j`` is moved, scaled and turned as match ``i``; ``model``: cosine, sine, shift, scale."""
    x = model[0] * one[j, 0] - model[1] * one[j, 1] + model[2] - other[j, 0]
    y = model[1] * one[j, 0] + model[0] * one[j, 1] + model[3] - other[j, 1]
    if x * x + y * y >= reach * reach:
        return False
    stretch = other[j, 2] / (one[j, 2] * model[4])
    if stretch > STRETCH or stretch < 1 / STRETCH:
        return False
    twist = abs(other[j, 3] - one[j, 3] - other[i, 3] + one[i, 3]) % 360
    return bool(min(twist, 360 - twist) < TWIST)


@compiled
def moved(one: Any, other: Any, i: Int) -> Any:
    """The similarity that one match tells of: cosine, sine, shift, scale."""
    scale = other[i, 2] / one[i, 2]
    angle = np.deg2rad(other[i, 3] - one[i, 3])
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    x = other[i, 0] - cosine * one[i, 0] + sine * one[i, 1]
    y = other[i, 1] - sine * one[i, 0] - cosine * one[i, 1]
    return cosine, sine, x, y, scale


@entry(types.int64(MATCHES, MATCHES, types.float64))
def most_agreed(one: Any, other: Any, reach: Any) -> Int:
    """The match that most others agree with, the first of several."""
    best, most = 0, 0
    for i in range(len(one)):
        model = moved(one, other, i)
        count = 0
        for j in range(len(one)):
            count += agrees(one, other, model, i, j, reach)
        if count > most:
            best, most = i, count
    return best


@entry(MASK(MATCHES, MATCHES, types.float64, types.int64))
def supporters(one: Any, other: Any, reach: Any, i: Int) -> Any:
    """Which matches agree with match ``i``."""
    mask = np.zeros(len(one), np.bool_)
    model = moved(one, other, i)
    for j in range(len(one)):
        mask[j] = agrees(one, other, model, i, j, reach)
    return mask
