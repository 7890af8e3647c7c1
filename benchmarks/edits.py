"""What people do to pictures before they search with them: pixels -> pixels, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from io import BytesIO

import numpy as np
from PIL import Image

from search.types import Pixels

Edit = Callable[[Pixels, np.random.Generator], Pixels]


def crop(pixels: Pixels, rng: np.random.Generator, *, area: float) -> Pixels:
    """A window with that share of the area and the picture's aspect, at a random place."""
    height, width = (max(1, round(side * area**0.5)) for side in pixels.shape[:2])
    top = int(rng.integers(pixels.shape[0] - height + 1))
    left = int(rng.integers(pixels.shape[1] - width + 1))
    return pixels[top : top + height, left : left + width]


def resize(pixels: Pixels, _rng: np.random.Generator, *, scale: float) -> Pixels:
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))


def recompress(pixels: Pixels, _rng: np.random.Generator, *, quality: int) -> Pixels:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def mirror(pixels: Pixels, _rng: np.random.Generator) -> Pixels:
    return pixels[:, ::-1]


def turn(pixels: Pixels, _rng: np.random.Generator) -> Pixels:
    """A quarter turn to the left."""
    return np.rot90(pixels)


def brighten(pixels: Pixels, _rng: np.random.Generator, *, factor: float) -> Pixels:
    brighter: Pixels = np.clip(pixels * factor + 0.5, 0, 255).astype(np.uint8)
    return brighter


def border(pixels: Pixels, _rng: np.random.Generator, *, share: float) -> Pixels:
    """A white frame as wide as that share of the shorter side."""
    wide = max(1, round(min(pixels.shape[:2]) * share))
    return np.pad(pixels, ((wide, wide), (wide, wide), (0, 0)), constant_values=255)


EDITS: dict[str, Edit] = {
    "crop 80%": partial(crop, area=0.8),
    "crop 50%": partial(crop, area=0.5),
    "crop 25%": partial(crop, area=0.25),
    "half size": partial(resize, scale=0.5),
    "JPEG 30": partial(recompress, quality=30),
    "JPEG 8": partial(recompress, quality=8),
    "mirror": mirror,
    "turn 90°": turn,
    "brighter 20%": partial(brighten, factor=1.2),
    "border 5%": partial(border, share=0.05),
}
