"""Pictures drawn by code."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw


def scene(seed: int, size: tuple[int, int] = (320, 240)) -> NDArray[np.uint8]:
    """A colourful picture of ``size`` (width, height), another for every seed."""
    dice = np.random.default_rng(seed)
    width, height = size
    corners = dice.integers(0, 256, (2, 2, 3)).astype(np.uint8)
    picture = Image.fromarray(corners).resize(size, Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y = dice.integers(0, width), dice.integers(0, height)
        w, h = dice.integers(width // 10 + 1, width // 3 + 2), dice.integers(height // 10 + 1, height // 3 + 2)
        draw.ellipse((x, y, x + w, y + h), fill=tuple(int(c) for c in dice.integers(0, 256, 3)))
    return np.asarray(picture).copy()


def encode(pixels: NDArray[np.uint8], kind: str, **options: Any) -> bytes:
    out = BytesIO()
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()
