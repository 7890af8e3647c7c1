"""A picture's pixels -> what a network takes, pixel-identical to the transforms of torchvision, timm and open_clip."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search.types import Pixels

FITS = ("crop", "squash", "pad")


@dataclass(frozen=True)
class Preprocessing:
    """How pixels fill the network's window of ``height`` x ``width``.

    ``fit``: "crop" brings the shorter side to ``shorter`` pixels and cuts the window out of the middle,
    "squash" resizes both sides to ``shorter``, cuts likewise (or, where that is 0, resizes to the window),
    "pad" brings the whole picture into the window and fills the rest with ``fill`` (0..255).
    ``resample``: Pillow's name. ``mean`` and ``std`` are of values in 0..1.
    """

    height: int
    width: int
    fit: str = "crop"
    shorter: int = 0
    resample: str = "BICUBIC"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    fill: tuple[int, int, int] = (0, 0, 0)

    @classmethod
    def of_meta(cls, meta: Mapping[str, Any]) -> Preprocessing:
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in meta.items()}
        return cls(**values)

    def as_meta(self) -> dict[str, Any]:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @cached_property
    def key(self) -> str:
        """12 hex digits that differ between two preprocessings."""
        return hashlib.sha256(json.dumps(self.as_meta(), sort_keys=True).encode()).hexdigest()[:12]

    def batch(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """``(h, w, 3)`` uint8 each -> float32 ``(n, 3, height, width)``."""
        result = np.empty((len(pictures), 3, self.height, self.width), np.float32)
        mean, std = (np.array(values, np.float32)[:, None, None] for values in (self.mean, self.std))
        for row, pixels in zip(result, pictures, strict=True):
            window = np.asarray(self.window(Image.fromarray(pixels))).transpose(2, 0, 1)
            np.divide(window, np.float32(255), out=row)
            row -= mean
            row /= std
        return result

    def window(self, image: Image.Image) -> Image.Image:
        """The RGB picture brought into the network's window."""
        if self.fit == "squash":
            return self._squashed(image)
        return self._cropped(image) if self.fit == "crop" else self._padded(image)

    @property
    def _filter(self) -> Image.Resampling:
        return Image.Resampling[self.resample]

    def _cropped(self, image: Image.Image) -> Image.Image:
        short, long = sorted(image.size)
        # torchvision rounds the longer side down, and the crop's corner half to even.
        sides = (self.shorter, int(self.shorter * long / short))
        width, height = sides if image.width <= image.height else sides[::-1]
        resized = image.resize((width, height), self._filter) if short != self.shorter else image
        return self._middle(resized)

    def _squashed(self, image: Image.Image) -> Image.Image:
        sides = (self.shorter or self.width, self.shorter or self.height)
        return self._middle(image.resize(sides, self._filter))

    def _middle(self, image: Image.Image) -> Image.Image:
        left, top = round((image.width - self.width) / 2), round((image.height - self.height) / 2)
        return image.crop((left, top, left + self.width, top + self.height))

    def _padded(self, image: Image.Image) -> Image.Image:
        # Divided by, as open_clip does: a product with the inverse is a pixel off for some sizes.
        ratio = max(image.width / self.width, image.height / self.height)
        size = (max(1, round(image.width / ratio)), max(1, round(image.height / ratio)))
        framed = Image.new("RGB", (self.width, self.height), self.fill)
        corner = ((self.width - size[0]) // 2, (self.height - size[1]) // 2)
        framed.paste(image.resize(size, self._filter), corner)
        return framed
