"""Where one picture lies in another: affine maps between them, and how keypoints find one.

A ``Matrix`` maps points of the second picture to points of the first, both as shares of their widths and heights.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from search.kernels.dihedral import Dihedral
from search.types import Pixels

Matrix = NDArray[np.float64]  # (2, 3)

IDENTITY: Matrix = np.eye(2, 3)
KEYPOINTS = 600
RATIO = 0.8  # of the distances to the nearest and next descriptor, at most (Lowe 2004)
INLIERS, INLIER_SHARE = 14, 0.3  # at least
REPROJECTION = 3.0  # pixels, at most, of an inlier
UPRIGHT = np.radians(2)  # a smaller rotation than this is none


def square(matrix: Matrix) -> Matrix:
    """The same map as ``(3, 3)``, for products."""
    return np.vstack([matrix, [0, 0, 1]])


def inverse(matrix: Matrix) -> Matrix:
    """From the first to the second."""
    return np.asarray(np.linalg.inv(square(matrix))[:2], np.float64)


def before(transform: Dihedral, matrix: Matrix) -> Matrix:
    """The matrix for the second picture as it is, from that for the second as transformed."""
    untransformed = square(matrix) @ np.linalg.inv(square(np.array(transform.origin, float)))
    return np.asarray(untransformed[:2], np.float64)


def warp(second: Pixels, matrix: Matrix, size: tuple[int, int]) -> tuple[Pixels, NDArray[np.bool_]]:
    """The second picture in the frame of the first, of ``size`` (width, height), and which pixels it covers."""
    height, width = second.shape[:2]
    in_pixels = np.diag([*map(float, size), 1.0]) @ square(matrix) @ np.diag([1 / width, 1 / height, 1.0])
    # Pixels are areas: their centres lie half a pixel in.
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    forward = (np.linalg.inv(half) @ in_pixels @ half)[:2]
    second = np.ascontiguousarray(second)
    warped = cv2.warpAffine(second, forward, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    covered = cv2.warpAffine(np.full((height, width), 255, np.uint8), forward, size, flags=cv2.INTER_NEAREST)
    return np.asarray(warped, np.uint8), np.asarray(covered > 0)


def nearest_transform(matrix: Matrix, first: Pixels, second: Pixels) -> tuple[Dihedral, bool]:
    """The dihedral transform that a matrix is nearest to, and whether it is rotated from that."""
    (height, width), (second_height, second_width) = first.shape[:2], second.shape[:2]
    in_pixels = matrix * [1 / second_width, 1 / second_height, 1] * [[width], [height]]
    linear = in_pixels[:, :2] / np.sqrt(abs(np.linalg.det(in_pixels[:, :2])))
    gaps = {
        transform: float(np.linalg.norm(linear - np.linalg.inv(np.array(transform.origin)[:, :2])))
        for transform in Dihedral
    }
    nearest = min(gaps, key=gaps.__getitem__)
    return nearest, gaps[nearest] > np.sqrt(2) * UPRIGHT


def by_keypoints(first: Pixels, second: Pixels) -> Matrix | None:
    """The similarity transform on which SIFT keypoints (Lowe 2004) agree, by RANSAC; None if too few do."""
    keypoints, descriptors = _sift(first)
    second_keypoints, second_descriptors = _sift(second)
    if min(len(keypoints), len(second_keypoints)) < INLIERS:
        return None
    pairs = [pair for pair in cv2.BFMatcher().knnMatch(second_descriptors, descriptors, k=2) if len(pair) == 2]
    matches = [nearest for nearest, following in pairs if nearest.distance < RATIO * following.distance]
    if len(matches) < INLIERS:
        return None
    source = np.array([second_keypoints[match.queryIdx].pt for match in matches])
    target = np.array([keypoints[match.trainIdx].pt for match in matches])
    cv2.setRNGSeed(0)  # the same two pictures always relate in the same way
    matrix, inliers = cv2.estimateAffinePartial2D(source, target, ransacReprojThreshold=REPROJECTION)
    if matrix is None or int(inliers.sum()) < max(INLIERS, INLIER_SHARE * len(matches)):
        return None
    return _in_shares(np.asarray(matrix, np.float64), first, second)


def _sift(pixels: Pixels) -> tuple[list[cv2.KeyPoint], NDArray[np.float32]]:
    sift = cv2.SIFT.create(nfeatures=KEYPOINTS, contrastThreshold=0.02)
    grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    keypoints, descriptors = sift.detectAndCompute(grey, None)
    found = np.zeros((0, 128)) if descriptors is None else descriptors
    return list(keypoints), np.asarray(found, np.float32)


def _in_shares(matrix: Matrix, first: Pixels, second: Pixels) -> Matrix:
    """The map in pixels as one in shares of the sides."""
    (height, width), (second_height, second_width) = first.shape[:2], second.shape[:2]
    shares = np.diag([1 / width, 1 / height, 1.0]) @ square(matrix) @ np.diag([second_width, second_height, 1.0])
    return shares[:2]
