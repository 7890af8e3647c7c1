"""Do matched keypoints agree on how one picture lies in the other?

A keypoint has a size and a direction, so a single match gives a similarity transform. Each of them is tried, so nothing
is left to chance, and the one that most other matches support is taken. Its inliers are refined to a homography
by MAGSAC++ (Barath et al. 2020, "MAGSAC++, a fast, reliable and accurate robust estimator").
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
ENOUGH = 8  # matches from which a homography is fitted; fewer get an affine map, or the similarity
CELLS = 16  # along the longer side; matches in one cell count once

MATCHES = types.Array(types.float32, 2, "C")
MASK = types.Array(types.boolean, 1, "C")

Positions = NDArray[np.float32]
Mask = NDArray[np.bool_]
Matrix = NDArray[np.float64]


def best_similarity(source: Positions, target: Positions, reach: float) -> tuple[Matrix, Mask]:
    """The similarity that most matches support, ``(3, 3)``, and its inliers.

    ``(m, 4)`` each: x, y, size, and direction in degrees. An inlier is mapped to less than ``reach`` from its target.
    """
    best = int(most_agreed(source, target, reach))
    mask: Mask = supporters(source, target, reach, best)
    return similarity(source[best], target[best]), mask


def similarity(source: Positions, target: Positions) -> Matrix:
    """The similarity that maps one keypoint (x, y, size, direction) to another, ``(3, 3)``."""
    scale, angle = float(target[2] / source[2]), np.deg2rad(float(target[3] - source[3]))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = target[:2] - turn @ source[:2]
    return np.vstack((np.column_stack((turn, shift)), (0.0, 0.0, 1.0)))


def refined(rough: Matrix, source: Positions, target: Positions, mask: Mask, reach: float) -> tuple[Matrix, Mask]:
    """The transform that explains most matches, and its inliers: a homography of all or of the inliers, or ``rough``.

    A strong perspective looks like a similarity in one part of the picture only.
    """
    best, explained, most = rough, mask, np.count_nonzero(mask & (distances(rough, source, target) < reach / 4))
    # Of all matches more fit by chance, so a homography of all has to explain a tenth more.
    for chosen, better in ((mask, 1.0), (np.ones(len(source), np.bool_), 1.1)):
        fit = fitted(source[chosen, :2], target[chosen, :2], reach)
        if fit is None:
            continue
        apart = distances(fit, source, target)
        exact, close = np.count_nonzero(apart < reach / 4), apart < reach / 2
        if exact >= better * most and sound(fit, source[close, :2]):
            best, explained, most = fit, close, exact
    return best, explained


def fitted(start: Positions, end: Positions, reach: float) -> Matrix | None:
    """A homography, or with few points an affine map; None if there is none that fits."""
    matrix: Any = None
    if len(start) >= ENOUGH:
        matrix, _ = cv2.findHomography(start, end, cv2.USAC_MAGSAC, reach * EXACT / NEAR, None, 2000, 0.999)
    elif len(start) >= 4:
        matrix, _ = cv2.estimateAffine2D(start, end, method=cv2.RANSAC, ransacReprojThreshold=reach / 2)
        matrix = None if matrix is None else np.vstack((matrix, (0.0, 0.0, 1.0)))
    return None if matrix is None else np.asarray(matrix, np.float64)


def distances(matrix: Matrix, source: Positions, target: Positions) -> NDArray[np.float64]:
    """How far from its match each keypoint is mapped."""
    apart: NDArray[np.float64] = np.linalg.norm(mapped(matrix, source[:, :2]) - target[:, :2], axis=1)
    return apart


def mapped(matrix: Matrix, points: NDArray[Any]) -> NDArray[np.float64]:
    """``(n, 2)`` points mapped by a homography; far away for those that it sends to infinity."""
    flat = np.column_stack((points, np.ones(len(points)))) @ matrix.T
    depth = np.where(np.abs(flat[:, 2:]) < 1e-9, 1e-9, flat[:, 2:])
    result: NDArray[np.float64] = flat[:, :2] / depth
    return result


def sound(matrix: Matrix, points: NDArray[Any]) -> bool:
    """Whether a homography keeps these points in front of the camera and unmirrored, as views of a flat picture are."""
    depth = points @ matrix[2, :2] + matrix[2, 2]
    return bool(np.isfinite(matrix).all() and (depth > 0).all() and np.linalg.det(matrix) > 0)


def distinct_inliers(points: Positions, longest: float) -> int:
    """In how many cells of a picture there is a point: several in one cell are hardly more evidence than one."""
    parts = (points[:, :2] * (CELLS / longest)).astype(np.int64)
    return len(np.unique(parts[:, 0] * 4 * CELLS + parts[:, 1]))


@compiled
def agrees(source: Any, target: Any, model: Any, i: Int, j: Int, reach: Any) -> bool:
    """Whether match ``j`` is moved, scaled and turned as match ``i``; ``model``: cosine, sine, shift, scale."""
    x = model[0] * source[j, 0] - model[1] * source[j, 1] + model[2] - target[j, 0]
    y = model[1] * source[j, 0] + model[0] * source[j, 1] + model[3] - target[j, 1]
    if x * x + y * y >= reach * reach:
        return False
    stretch = target[j, 2] / (source[j, 2] * model[4])
    if stretch > STRETCH or stretch < 1 / STRETCH:
        return False
    twist = abs(target[j, 3] - source[j, 3] - target[i, 3] + source[i, 3]) % 360
    return bool(min(twist, 360 - twist) < TWIST)


@compiled
def moved(source: Any, target: Any, i: Int) -> Any:
    """The similarity of one match: cosine, sine, shift, scale."""
    scale = target[i, 2] / source[i, 2]
    angle = np.deg2rad(target[i, 3] - source[i, 3])
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    x = target[i, 0] - cosine * source[i, 0] + sine * source[i, 1]
    y = target[i, 1] - sine * source[i, 0] - cosine * source[i, 1]
    return cosine, sine, x, y, scale


@entry(types.int64(MATCHES, MATCHES, types.float64))
def most_agreed(source: Any, target: Any, reach: Any) -> Int:
    """The match that most others agree with, the first of several."""
    best, most = 0, 0
    for i in range(len(source)):
        model = moved(source, target, i)
        count = 0
        for j in range(len(source)):
            count += agrees(source, target, model, i, j, reach)
        if count > most:
            best, most = i, count
    return best


@entry(MASK(MATCHES, MATCHES, types.float64, types.int64))
def supporters(source: Any, target: Any, reach: Any, i: Int) -> Any:
    """Which matches agree with match ``i``."""
    mask = np.zeros(len(source), np.bool_)
    model = moved(source, target, i)
    for j in range(len(source)):
        mask[j] = agrees(source, target, model, i, j, reach)
    return mask
