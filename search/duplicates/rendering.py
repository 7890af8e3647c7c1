"""Two pictures laid over each other, and what differs between them, as files that browsers show."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
import PIL.Image

from search.duplicates.pairs import Matrix, warp
from search.types import Pixels

AMPLIFIED = 4  # small differences are to be seen
BACKGROUND = 0.4
GLOW = np.array([255, 96, 0], np.float32)


def aligned(first: Pixels, second: Pixels, matrix: Matrix) -> bytes:
    """WebP of the second in the frame of the first; transparent where it shows nothing."""
    laid, shown = warp(second, matrix, (first.shape[1], first.shape[0]))
    return _webp(np.dstack([laid, np.where(shown, 255, 0).astype(np.uint8)]))


def difference(first: Pixels, second: Pixels, matrix: Matrix) -> bytes:
    """WebP of the first, dark and grey, glowing where the second differs; black where the second shows nothing."""
    laid, shown = warp(second, matrix, (first.shape[1], first.shape[0]))
    apart = np.abs(first.astype(np.float32) - laid).max(axis=2, keepdims=True)
    strength = np.clip(apart * AMPLIFIED / 255, 0, 1)
    ground = np.repeat(cv2.cvtColor(first, cv2.COLOR_RGB2GRAY)[..., np.newaxis], 3, axis=2) * BACKGROUND
    seen = ground * (1 - strength) + GLOW * strength
    return _webp(np.where(shown[..., np.newaxis], seen, 0).round().astype(np.uint8))


def _webp(pixels: Pixels) -> bytes:
    out = BytesIO()
    PIL.Image.fromarray(pixels).save(out, "WEBP", quality=88, method=2)
    return out.getvalue()
