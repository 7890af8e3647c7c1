"""Two pictures laid over each other, and the difference between them, as files that browsers show."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
import PIL.Image

from search.duplicates.alignment import Matrix, warp
from search.types import Pixels

AMPLIFICATION = 4  # so that small differences show
BACKGROUND = 0.4  # of its brightness
GLOW = np.array([255, 96, 0], np.float32)


def aligned(first: Pixels, second: Pixels, matrix: Matrix) -> bytes:
    """WebP of the second in the frame of the first; transparent where it shows nothing."""
    warped, covered = warp(second, matrix, (first.shape[1], first.shape[0]))
    return _webp(np.dstack([warped, np.where(covered, 255, 0).astype(np.uint8)]))


def difference(first: Pixels, second: Pixels, matrix: Matrix) -> bytes:
    """WebP of the first, dark and grey, glowing where the second differs; black where the second shows nothing."""
    warped, covered = warp(second, matrix, (first.shape[1], first.shape[0]))
    differences = np.abs(first.astype(np.float32) - warped).max(axis=2, keepdims=True)
    glow = np.clip(differences * AMPLIFICATION / 255, 0, 1)
    background = np.repeat(cv2.cvtColor(first, cv2.COLOR_RGB2GRAY)[..., np.newaxis], 3, axis=2) * BACKGROUND
    blended = background * (1 - glow) + GLOW * glow
    return _webp(np.where(covered[..., np.newaxis], blended, 0).round().astype(np.uint8))


def _webp(pixels: Pixels) -> bytes:
    out = BytesIO()
    PIL.Image.fromarray(pixels).save(out, "WEBP", quality=88, method=2)
    return out.getvalue()
