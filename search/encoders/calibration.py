"""The cosines that a model gives to pictures and texts with nothing in common; scores are measured against them."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search.types import Pixels

# Photographs that come with scikit-image; no two show the same kind of thing.
PHOTOGRAPHS = (
    "astronaut.png",
    "brick.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "hubble_deep_field.jpg",
    "motorcycle_left.png",
    "page.png",
    "retina.jpg",
    "rocket.jpg",
)
# Nothing that these photographs show.
SENTENCES = (
    "two children on a swing",
    "a red sports car on a bridge",
    "a plate of pasta with basil",
    "a sailing boat at sunset",
    "skyscrapers at night",
    "a snowy mountain",
    "a black dog with a stick",
    "people dancing at a wedding",
    "a bowl of oranges",
    "a map of the underground",
    "a horse in front of a barn",
    "an old woman reading by a window",
)
SPREADS = 3.0  # standard deviations above chance where the score is one half
ROOM = 0.6  # of the way from chance to a cosine of 1, at most


@cache
def photographs() -> tuple[Pixels, ...]:
    """Real pictures ``(h, w, 3)`` uint8, none if scikit-image is not installed."""
    package = find_spec("skimage")
    folders = [Path(location) / "data" for location in (package.submodule_search_locations or [])] if package else []
    files = [folder / name for folder in folders for name in PHOTOGRAPHS if (folder / name).is_file()]
    return tuple(np.asarray(Image.open(file).convert("RGB")) for file in files)


def against_each_other(rows: NDArray[np.float32]) -> tuple[float, float]:
    """Middle and width of the score of two pictures, from unit rows of unrelated ones."""
    above = np.triu_indices(len(rows), 1)
    return _curve((rows @ rows.T)[above])


def against_words(rows: NDArray[np.float32], words: NDArray[np.float32]) -> tuple[float, float]:
    """Middle and width of the score of a text and a picture, from unit rows that have nothing in common."""
    return _curve((rows @ words.T).ravel())


def _curve(cosines: NDArray[np.float32]) -> tuple[float, float]:
    if len(cosines) < 2:
        return 0.5, 0.1
    chance, spread = float(cosines.mean()), float(cosines.std())
    middle = min(chance + SPREADS * spread, chance + ROOM * (1 - chance))
    width = max((middle - chance) / 4, 0.005)
    return round(middle, 3), round(width, 3)
