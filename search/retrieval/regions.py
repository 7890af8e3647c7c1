"""A part of a picture, as pages and API name it: ``x,y,w,h``."""

from __future__ import annotations

from dataclasses import dataclass

from search.exceptions import BadQuery
from search.types import Pixels


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a picture; all numbers are shares of its width and height, 0..1."""

    x: float
    y: float
    width: float
    height: float

    def __str__(self) -> str:
        return ",".join(f"{number:.4g}" for number in (self.x, self.y, self.width, self.height))

    @classmethod
    def parse(cls, text: str) -> Region:
        """From ``x,y,w,h``. Raises BadQuery."""
        try:
            x, y, width, height = (float(part) for part in text.split(","))
        except ValueError:
            raise BadQuery("region_malformed") from None
        inside = 0 <= x < 1 and 0 <= y < 1 and 0 < width <= 1 and 0 < height <= 1
        if not inside or x + width > 1.0001 or y + height > 1.0001:
            raise BadQuery("region_outside")
        return cls(x, y, width, height)

    def cut(self, pixels: Pixels) -> Pixels:
        """That part of the pixels, at least one pixel each way."""
        height, width = pixels.shape[:2]
        left, top = min(int(self.x * width), width - 1), min(int(self.y * height), height - 1)
        right = max(left + 1, round((self.x + self.width) * width))
        bottom = max(top + 1, round((self.y + self.height) * height))
        return pixels[top:bottom, left:right]
