"""Two pictures -> how they relate, or None if they only look alike from afar. Pure mathematics on pixels.

Both are shrunk, the second is turned and mirrored in the eight ways of a rectangle, and what is left between them
is measured block by block. Where that does not fit, SIFT keypoints (Lowe 2004) and RANSAC look for the place of one in
the other, and only what overlaps is compared.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from search.kernels.dihedral import Dihedral
from search.types import Pixels

Matrix = NDArray[np.float64]  # (2, 3): place in the second -> place in the first, both as shares of their sides
Grey = NDArray[np.float32]

SIDE = 256  # longest side at which pictures are compared
CLOSE_SIDE = 512  # where a small part of one may be the other
STILL: Matrix = np.eye(2, 3)
COARSE = 24
FLAT = 6.0  # standard deviation of a picture's grey; below it there is nothing to tell pictures apart by
SAME_SHAPE = 0.03  # relative difference of the aspect ratios
BLOCK = 8  # pixels
PLAIN_MEAN, PLAIN_WORST = 9.0, 20.0  # levels of 255: what scaling and compression do, on the whole and in a block
ALIKE = 0.8  # correlation of what overlaps
ALIKE_BLOCKS = 0.6  # share of blocks that agree in an edited picture
KEYPOINTS, NEAREST, INLIERS = 600, 0.8, 14
LEANING = np.radians(2)
WHOLE = 0.94  # of a picture's area; what shows more of it is no crop


class Relation(StrEnum):
    """How two pictures with different bytes are the same."""

    PIXELS = "pixels"
    RECOMPRESSED = "recompressed"
    RESIZED = "resized"
    TURNED = "turned"
    CROP = "crop"
    EDITED = "edited"


@dataclass(frozen=True, slots=True)
class Pair:
    """``turn``: which of ``TURNS`` makes the second look like the first. ``difference``: mean of 255 grey levels.

    ``shares``: of the first's and of the second's area, how much the other shows.
    """

    relation: Relation
    turn: int
    matrix: Matrix
    difference: float
    shares: tuple[float, float] = (1.0, 1.0)


SAME = Pair(Relation.PIXELS, 0, STILL, 0.0)  # by the hash of their pixels
# What the numbers of turns mean, which are stored.
TURNS = (
    Dihedral.IDENTITY,
    Dihedral.FLIP_LEFT_RIGHT,
    Dihedral.FLIP_TOP_BOTTOM,
    Dihedral.ROTATE_180,
    Dihedral.TRANSPOSE,
    Dihedral.ROTATE_270,
    Dihedral.ROTATE_90,
    Dihedral.TRANSVERSE,
)


def pixel_hash(pixels: Pixels) -> str:
    """SHA-256 of size and pixels: 64 hexadecimal digits."""
    return hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()


def small(pixels: Pixels, side: int = SIDE) -> Pixels:
    """The picture with its longest side at most ``side``, by averages over areas."""
    height, width = pixels.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA), np.uint8)


def is_flat(pixels: Pixels) -> bool:
    """Whether there is too little in a picture to tell it from others by what it shows."""
    return bool(_grey(small(pixels, 64)).std() < FLAT)


def relate(
    first: Pixels, second: Pixels, *, resized: bool, side: int = SIDE, place: Matrix | None = None
) -> Pair | None:
    """How two pictures relate; ``resized`` tells whether their files have different sizes.

    Pixels may be those of thumbnails, (h, w, 3) uint8. Flat pictures relate to nothing: ask ``pixel_hash``.
    ``place``: where somebody else saw the second in the first; it is tried where nothing is seen without.
    """
    # Neither is scaled up: what the smaller one has lost would be taken for a change.
    side = min(side, max(first.shape[:2]), max(second.shape[:2]))
    first, second = small(first, side), small(second, side)
    if is_flat(first) or is_flat(second):
        return None
    turn = best_turn(first, second)
    turned = np.ascontiguousarray(TURNS[turn].apply(second))
    fitted = _fitted(turned, first)
    mean, worst = _difference(first, fitted)
    if mean <= PLAIN_MEAN and worst <= PLAIN_WORST:
        kind = Relation.TURNED if turn else Relation.RESIZED if resized else Relation.RECOMPRESSED
        return Pair(kind, turn, _turned_back(turn, STILL), mean)
    # First, for a narrow crop is much like the whole where it is.
    if found := _by_keypoints(first, turned, turn):
        return found
    if _same_shape(first, turned) and _alike(first, fitted, None):
        return Pair(Relation.TURNED if turn else Relation.EDITED, turn, _turned_back(turn, STILL), mean)
    return None if place is None else _placed(first, second, place, 0)


def best_turn(first: Pixels, second: Pixels) -> int:
    """Number of the turn of the second that is most like the first; none if that is as good."""
    one = _standard(_grey(_shrunk(first)))
    scores = [float((one * _standard(_grey(_shrunk(turn.apply(second))))).mean()) for turn in TURNS]
    best = int(np.argmax(scores))
    return best if scores[best] > scores[0] + 0.02 else 0


def warp(second: Pixels, matrix: Matrix, size: tuple[int, int]) -> tuple[Pixels, NDArray[np.bool_]]:
    """The second picture as it lies in the frame of the first, ``size`` (width, height), and where it shows."""
    height, width = second.shape[:2]
    pixels = np.diag([*map(float, size), 1.0]) @ np.vstack([matrix, [0, 0, 1]]) @ np.diag([1 / width, 1 / height, 1.0])
    # Pixels are areas: their middles lie half a pixel in.
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    forward = (np.linalg.inv(half) @ pixels @ half)[:2]
    second = np.ascontiguousarray(second)
    laid = cv2.warpAffine(second, forward, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    shown = cv2.warpAffine(np.full((height, width), 255, np.uint8), forward, size, flags=cv2.INTER_NEAREST)
    return np.asarray(laid, np.uint8), np.asarray(shown > 0)


def inverse(matrix: Matrix) -> Matrix:
    """From the first to the second."""
    whole: Matrix = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    return whole[:2]


def _by_keypoints(first: Pixels, turned: Pixels, turn: int) -> Pair | None:
    found = _similarity(first, turned)
    if found is None:
        return None
    (height, width), (tall, wide) = first.shape[:2], turned.shape[:2]
    shares = np.diag([1 / width, 1 / height, 1.0]) @ np.vstack([found, [0, 0, 1]]) @ np.diag([wide, tall, 1.0])
    return _placed(first, turned, shares[:2], turn)


def _placed(first: Pixels, second: Pixels, place: Matrix, turn: int) -> Pair | None:
    """The pair, if the second shows the same as the first where it is said to lie."""
    height, width = first.shape[:2]
    laid, shown = warp(second, place, (width, height))
    of_first = float(shown.mean())
    of_second = of_first / max(1e-6, abs(float(np.linalg.det(place[:, :2]))))
    if max(of_first, of_second) < 0.5 or shown.sum() < 400 or not _alike(first, laid, shown):
        return None
    matrix = _turned_back(turn, place)
    size = TURNS[turn].apply(second).shape
    turn, leans = _net_turn(matrix * [1 / size[1], 1 / size[0], 1] * [[width], [height]])
    kind = Relation.TURNED if turn or leans else Relation.EDITED
    if min(of_first, of_second) < WHOLE and not leans:
        kind = Relation.CROP
    mean = _difference(first, laid, shown)[0]
    return Pair(kind, turn, matrix, mean, (min(1.0, of_first), min(1.0, of_second)))


def _net_turn(pixels: Matrix) -> tuple[int, bool]:
    """The turn that a matrix in pixels is nearest to, and whether it is not quite that."""
    linear = pixels[:, :2] / np.sqrt(abs(np.linalg.det(pixels[:, :2])))
    apart = [float(np.linalg.norm(linear - np.linalg.inv(np.array(turn.origin)[:, :2]))) for turn in TURNS]
    best = int(np.argmin(apart))
    return best, apart[best] > np.sqrt(2) * LEANING


def _similarity(first: Pixels, second: Pixels) -> Matrix | None:
    """Scale, turn and shift, in pixels, that bring the second's keypoints onto the first's; (2, 3)."""
    sift = cv2.SIFT.create(nfeatures=KEYPOINTS, contrastThreshold=0.02)
    (points, one), (others, two) = (
        sift.detectAndCompute(cv2.cvtColor(np.ascontiguousarray(each), cv2.COLOR_RGB2GRAY), None)
        for each in (first, second)
    )
    if one is None or two is None or min(len(one), len(two)) < INLIERS:
        return None
    pairs = [pair for pair in cv2.BFMatcher().knnMatch(two, one, k=2) if len(pair) == 2]
    good = [near for near, next_one in pairs if near.distance < NEAREST * next_one.distance]
    if len(good) < INLIERS:
        return None
    source = np.array([others[match.queryIdx].pt for match in good])
    target = np.array([points[match.trainIdx].pt for match in good])
    cv2.setRNGSeed(0)  # the same two pictures always relate in the same way
    matrix, inliers = cv2.estimateAffinePartial2D(source, target, ransacReprojThreshold=3.0)
    if matrix is None or int(inliers.sum()) < max(INLIERS, 0.3 * len(good)):
        return None
    return np.asarray(matrix, np.float64)


def _alike(first: Pixels, second: Pixels, shown: NDArray[np.bool_] | None) -> bool:
    """Whether two pictures of one size show the same, though parts or colours may have been changed."""
    one, two = _blurred(first), _blurred(second)
    place = np.ones(one.shape, np.bool_) if shown is None else shown
    if one[place].std() < FLAT or two[place].std() < FLAT:
        return False
    if float(np.corrcoef(one[place], two[place])[0, 1]) >= ALIKE:
        agree = _agreeing(one, two, place)
        return agree >= ALIKE_BLOCKS
    return False


def _agreeing(one: Grey, two: Grey, place: NDArray[np.bool_]) -> float:
    """Share of the blocks with something in them whose pattern is the same in both."""
    agree = []
    for top in range(0, one.shape[0] - 2 * BLOCK + 1, 2 * BLOCK):
        for left in range(0, one.shape[1] - 2 * BLOCK + 1, 2 * BLOCK):
            block = slice(top, top + 2 * BLOCK), slice(left, left + 2 * BLOCK)
            if not place[block].all() or max(one[block].std(), two[block].std()) < FLAT / 2:
                continue
            agree.append(float((_standard(one[block]) * _standard(two[block])).mean()) > 0.5)
    return float(np.mean(agree)) if agree else 1.0


def _difference(first: Pixels, second: Pixels, shown: NDArray[np.bool_] | None = None) -> tuple[float, float]:
    """Mean of the absolute differences, and the largest mean difference of a block and channel; levels of 255."""
    apart = first.astype(np.float32) - second
    if shown is not None:
        return float(np.abs(apart[shown]).mean()), 255.0
    # With its sign: what compression does evens out within a block, what somebody drew does not.
    blocks = cv2.blur(apart, (BLOCK, BLOCK))
    # Half as much for one channel alone: strong compression is careless with colours.
    worst = max(np.abs(blocks.mean(axis=2)).max(), np.abs(blocks).max() / 2)
    return float(np.abs(apart).mean()), float(worst)


def _fitted(picture: Pixels, like: Pixels) -> Pixels:
    size = like.shape[1], like.shape[0]
    return np.asarray(cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_AREA), np.uint8)


def _same_shape(first: Pixels, second: Pixels) -> bool:
    ratios = [pixels.shape[1] / pixels.shape[0] for pixels in (first, second)]
    # A small picture's sides are rounded by half a pixel.
    slack = SAME_SHAPE + 1 / min(*first.shape[:2], *second.shape[:2])
    return bool(abs(np.log(ratios[0] / ratios[1])) <= slack)


def _turned_back(turn: int, matrix: Matrix) -> Matrix:
    """The matrix for the second as it is, from that for the second as turned."""
    before: Matrix = np.vstack([TURNS[turn].origin, [0, 0, 1]]).astype(float)
    whole: Matrix = np.vstack([matrix, [0, 0, 1]]) @ np.linalg.inv(before)
    return whole[:2]


def _shrunk(pixels: Pixels) -> Pixels:
    return np.asarray(
        cv2.resize(np.ascontiguousarray(pixels), (COARSE, COARSE), interpolation=cv2.INTER_AREA), np.uint8
    )


def _grey(pixels: Pixels) -> Grey:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY), np.float32)


def _blurred(pixels: Pixels) -> Grey:
    return np.asarray(cv2.GaussianBlur(_grey(pixels), (5, 5), 1.5), np.float32)


def _standard(grey: Grey) -> Grey:
    """Mean 0, deviation 1."""
    return np.asarray((grey - grey.mean()) / max(float(grey.std()), 1e-3), np.float32)
