"""How alike the pixels of two pictures are. All pixels are uint8 ``(h, w, 3)``, sRGB."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
from numpy.typing import NDArray

from search.types import Pixels

Grey = NDArray[np.float32]  # (h, w)
Mask = NDArray[np.bool_]  # (h, w)

FLAT = 6.0  # standard deviation of a picture's grey; below it there is nothing to tell pictures apart by
BLOCK = 8  # pixels
CORRELATION = 0.8  # of what both show, at least
MATCHING_BLOCKS = 0.6  # share of the blocks that agree in an edited picture, at least
BLOCK_CORRELATION = 0.5


def pixel_hash(pixels: Pixels) -> str:
    """SHA-256 of size and pixels: 64 hexadecimal digits."""
    return hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()


def shrink(pixels: Pixels, side: int) -> Pixels:
    """The picture with its longest side at most ``side``, by averages over areas."""
    height, width = pixels.shape[:2]
    scale = min(1.0, side / max(height, width))
    return resize(pixels, max(1, round(width * scale)), max(1, round(height * scale)))


def resize(pixels: Pixels, width: int, height: int) -> Pixels:
    """By averages over areas."""
    resized = cv2.resize(np.ascontiguousarray(pixels), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, np.uint8)


def grey(pixels: Pixels) -> Grey:
    """Luma, 0..255."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY), np.float32)


def standardized(values: Grey) -> Grey:
    """Mean 0, standard deviation 1."""
    return np.asarray((values - values.mean()) / max(float(values.std()), 1e-3), np.float32)


def is_flat(pixels: Pixels) -> bool:
    """Whether there is too little in a picture to tell it from others by what it shows."""
    return bool(grey(shrink(pixels, 64)).std() < FLAT)


def difference(first: Pixels, second: Pixels) -> tuple[float, float]:
    """Mean of the absolute differences, and the largest mean difference of a block and channel; levels of 255."""
    differences = first.astype(np.float32) - second
    # With its sign: what compression does evens out within a block, what somebody drew does not.
    blocks = cv2.blur(differences, (BLOCK, BLOCK))
    # Half as much for one channel alone: strong compression is careless with colours.
    worst = max(np.abs(blocks.mean(axis=2)).max(), np.abs(blocks).max() / 2)
    return float(np.abs(differences).mean()), float(worst)


def difference_within(first: Pixels, second: Pixels, covered: Mask) -> float:
    """Mean of the absolute differences of the covered pixels; levels of 255."""
    return float(np.abs((first.astype(np.float32) - second)[covered]).mean())


def show_the_same(first: Pixels, second: Pixels, covered: Mask | None = None) -> bool:
    """Whether two pictures of one size show the same where ``covered``, though parts or colours may have changed."""
    blurred, second_blurred = _blurred(first), _blurred(second)
    mask = np.ones(blurred.shape, np.bool_) if covered is None else covered
    if blurred[mask].std() < FLAT or second_blurred[mask].std() < FLAT:
        return False
    if float(np.corrcoef(blurred[mask], second_blurred[mask])[0, 1]) < CORRELATION:
        return False
    return _matching_blocks(blurred, second_blurred, mask) >= MATCHING_BLOCKS


def _blurred(pixels: Pixels) -> Grey:
    return np.asarray(cv2.GaussianBlur(grey(pixels), (5, 5), 1.5), np.float32)


def _matching_blocks(first: Grey, second: Grey, mask: Mask) -> float:
    """Share of the blocks with something in them whose pattern is the same in both; 1 if there are none."""
    side = 2 * BLOCK
    matches = []
    for top in range(0, first.shape[0] - side + 1, side):
        for left in range(0, first.shape[1] - side + 1, side):
            block = slice(top, top + side), slice(left, left + side)
            if not mask[block].all() or max(first[block].std(), second[block].std()) < FLAT / 2:
                continue
            correlation = float((standardized(first[block]) * standardized(second[block])).mean())
            matches.append(correlation > BLOCK_CORRELATION)
    return float(np.mean(matches)) if matches else 1.0
