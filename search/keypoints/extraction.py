"""Pixels -> keypoints, spread over the picture and over sizes: RootSIFT or ORB.

SIFT: Lowe, "Distinctive image features from scale-invariant keypoints", 2004. RootSIFT: Arandjelovic and Zisserman,
"Three things everyone should know to improve object retrieval", 2012. ORB: Rublee et al., 2011.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from search.keypoints import codec
from search.keypoints.codec import MOST, ORB, SIFT, Codes, Floats
from search.types import Pixels

LONGEST = 600  # side of the picture in which keypoints are sought
SHORTEST = 320  # small pictures are made as large
NARROWEST = 8  # pixels; a thinner picture has no keypoints
DETECTED = 800  # the strongest keypoints, from which the best spread ones are chosen
FAINT = 0.025  # contrast of the faintest; the usual 0.04 finds too few in flat pictures
CELLS = 4  # the picture is divided into so many times so many
BANDS = 4  # sizes of keypoints, each twice the one before
STEPS = 40  # of a RootSIFT number

Grey = NDArray[np.uint8]


def extract(pixels: Pixels, kind: int = SIFT) -> bytes:
    """The picture's stored feature, of at most ``MOST`` keypoints; flat pictures have none."""
    grey = working_greys(pixels)
    size = (grey.shape[1], grey.shape[0])
    detect = orb if kind == ORB else sift
    if min(size) < NARROWEST:
        return codec.pack(kind, size, np.empty((0, codec.DESCRIPTOR), np.uint8), np.empty((0, 4), np.float32))
    return codec.pack(kind, size, *detect(grey))


def working_greys(pixels: Pixels) -> Grey:
    """Greys of the picture, resized so that its longest side is 320 to 600 pixels."""
    grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    longest = max(grey.shape)
    side = min(max(longest, SHORTEST), LONGEST)
    if side == longest:
        return np.asarray(grey, np.uint8)
    height, width = (max(1, round(length * side / longest)) for length in grey.shape)
    interpolation = cv2.INTER_AREA if side < longest else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(grey, (width, height), interpolation=interpolation), np.uint8)


def sift(grey: Grey) -> tuple[Codes, Floats]:
    """Packed RootSIFT descriptors ``(n, 64)``, and x, y, size and direction ``(n, 4)`` of the chosen keypoints."""
    detected, descriptors = cv2.SIFT.create(DETECTED, contrastThreshold=FAINT).detectAndCompute(grey, None)
    if descriptors is None:
        return np.empty((0, codec.DESCRIPTOR), np.uint8), np.empty((0, 4), np.float32)
    positions, chosen = choose(detected, (grey.shape[1], grey.shape[0]))
    descriptors = descriptors[chosen]
    shares = descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1)
    numbers = np.minimum(np.rint(np.sqrt(shares) * STEPS), 15).astype(np.uint8)
    return numbers[:, 0::2] << 4 | numbers[:, 1::2], positions[chosen]


def orb(grey: Grey) -> tuple[Codes, Floats]:
    """The same for ORB: descriptors of the picture and of its mirror image, side by side."""
    maker = cv2.ORB.create(DETECTED, fastThreshold=7)
    detected = maker.detect(grey, None)
    if not detected:
        return np.empty((0, codec.DESCRIPTOR), np.uint8), np.empty((0, 4), np.float32)
    positions, chosen = choose(detected, (grey.shape[1], grey.shape[0]))
    straight = described_by(maker, grey, [detected[i] for i in chosen])
    flipped = np.ascontiguousarray(grey[:, ::-1])
    mirrored = described_by(maker, flipped, [flipped_keypoint(detected[i], grey.shape[1]) for i in chosen])
    complete = [i for i in range(len(chosen)) if i in straight and i in mirrored]
    codes = np.array([np.concatenate((straight[i], mirrored[i])) for i in complete], np.uint8)
    return codes.reshape(-1, codec.DESCRIPTOR), positions[chosen[complete]].reshape(-1, 4)


def described_by(maker: cv2.ORB, grey: Grey, points: Sequence[cv2.KeyPoint]) -> dict[int, Codes]:
    """Number of a keypoint -> its 32 bytes; keypoints too near to the edge have none."""
    for number, point in enumerate(points):
        point.class_id = number
    left, codes = maker.compute(grey, points)
    return {point.class_id: code for point, code in zip(left, codes if codes is not None else (), strict=True)}


def flipped_keypoint(point: cv2.KeyPoint, width: int) -> cv2.KeyPoint:
    """The same keypoint in the mirrored picture."""
    x, y = point.pt
    return cv2.KeyPoint(width - 1 - x, y, point.size, (180 - point.angle) % 360, point.response, point.octave)


def choose(detected: Sequence[cv2.KeyPoint], size: tuple[int, int]) -> tuple[Floats, NDArray[np.int64]]:
    """x, y, size and direction of all keypoints, and the numbers of those to store."""
    positions = np.array([(*point.pt, point.size, point.angle) for point in detected], np.float32)
    return positions, spread(positions, np.array([point.response for point in detected]), size)


def spread(positions: Floats, strengths: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.int64]:
    """Which keypoints to choose: in turn the strongest of each part of the picture and band of sizes."""
    column, row = (np.minimum(positions[:, axis] * CELLS / size[axis], CELLS - 1).astype(np.int64) for axis in (0, 1))
    band = np.clip(np.log2(np.maximum(positions[:, 2], 1) / 4), 0, BANDS - 1).astype(np.int64)
    part = (row * CELLS + column) * BANDS + band
    by_part = np.lexsort((-strengths, part))
    first = np.searchsorted(part[by_part], part[by_part])
    turn = np.empty(len(part), np.int64)
    turn[by_part] = np.arange(len(part)) - first
    return np.lexsort((-strengths, turn))[:MOST]
