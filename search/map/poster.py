"""The whole map as one picture, a strip at a time, so that memory does not grow with its size."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from io import BytesIO

import numpy as np
import PIL.Image
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from numpy.typing import NDArray

from search.collection import Image
from search.map.codec import bounds, centres_of
from search.map.models import Layout, Tile
from search.map.positions import current
from search.map.tiles import LEVELS, SIDE, cell, read, slots_of, square

LARGEST = 10_100  # pixels: what the article printed
STRIP = 256  # rows
TILES_HELD = 24  # decoded, 3 MB each
OVERVIEW = 1_600  # pixels
FILLED = 0.96  # of a unit; the rest is the gap between neighbours
PAPER, INK = (255, 255, 255), (16, 17, 19)
Pixels = NDArray[np.uint8]


class Poster:
    """A map drawn ``size`` pixels along its longer side."""

    def __init__(self, layout: Layout, size: int, background: tuple[int, int, int] = PAPER) -> None:
        if not 1 <= size <= LARGEST:
            raise ValueError(f"The size must be from 1 to {LARGEST} pixels.")
        self.layout, self.background = layout, background
        self.now = current(layout)
        self.low, extent = bounds(self.now.positions)
        self.unit = size / max(extent)  # pixels
        self.width, self.height = (max(1, min(size, round(side * self.unit))) for side in extent)
        self.count = -(-self.height // STRIP)
        self.tile = lru_cache(TILES_HELD)(self._tile)

    def strips(self) -> Iterator[Pixels]:
        """``(rows, width, 3)`` from top to bottom."""
        boxes = self._boxes()
        for top in range(0, self.height, STRIP):
            rows = min(STRIP, self.height - top)
            strip = PIL.Image.new("RGB", (self.width, rows), self.background)
            for i in np.flatnonzero((boxes[:, 1] < top + rows) & (boxes[:, 1] + boxes[:, 3] > top)):
                left, upper, width, height = boxes[i].tolist()
                strip.paste(self._picture(int(i), width, height), (left, upper - top))
            yield np.asarray(strip)

    def _boxes(self) -> NDArray[np.int64]:
        """Left, top, width and height of every picture, in pixels; each keeps its shape within its square."""
        positions = self.now.positions
        ratio = 2.0 ** ((positions["ratio"].astype(float) - 128) / 32)
        sides = np.column_stack([np.minimum(1, ratio), np.minimum(1, 1 / ratio)]) * self.unit * FILLED
        centres = (centres_of(positions) - self.low) * self.unit
        boxes: NDArray[np.int64] = np.rint(np.hstack([centres - sides / 2, np.maximum(sides, 1)])).astype(np.int64)
        return boxes

    def _picture(self, i: int, width: int, height: int) -> PIL.Image.Image:
        position, slot = self.now.positions[i], int(self.now.slots[i])
        side = max(width, height)
        if side <= 2:
            return PIL.Image.new("RGB", (width, height), tuple(int(position[c]) for c in ("red", "green", "blue")))
        if side > LEVELS[0]:
            image = Image.objects.filter(pk=int(position["id"])).first()
            thumbnail = square(image, 512) if image else PIL.Image.new("RGB", (1, 1), self.background)
        else:
            level = min(size for size in LEVELS if size >= side)
            left, top = cell(slot, level)
            thumbnail = self.tile(level, slot // slots_of(level)).crop((left, top, left + level, top + level))
        return thumbnail.resize((width, height), PIL.Image.Resampling.BILINEAR)

    def _tile(self, level: int, number: int) -> PIL.Image.Image:
        tile = Tile.objects.filter(layout=self.layout, level=level, number=number).first()
        return read(tile) if tile else PIL.Image.new("RGB", (SIDE, SIDE), self.background)


def png(strips: Iterable[Pixels], width: int, height: int) -> Iterator[bytes]:
    """A PNG file piece by piece (ISO/IEC 15948): 8-bit RGB, every row as its difference to the one above."""
    yield b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pack = zlib.compressobj(4)
    above = np.zeros((1, width * 3), np.uint8)
    for strip in strips:
        rows = strip.reshape(len(strip), -1)
        filtered = np.full((len(rows), width * 3 + 1), 2, np.uint8)
        filtered[:, 1:] = rows - np.vstack([above, rows[:-1]])
        above = rows[-1:]
        if packed := pack.compress(filtered.tobytes()):
            yield _chunk(b"IDAT", packed)
    yield _chunk(b"IDAT", pack.flush()) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def poster_png(layout: Layout, size: int) -> Iterator[bytes]:
    """The map as a PNG file, piece by piece. Raises ValueError for a size that is not from 1 to ``LARGEST``."""
    poster = Poster(layout, size)
    return png(poster.strips(), poster.width, poster.height)


def draw_overview(layout: Layout) -> None:
    """The picture of the whole map that is shown where no script runs."""
    poster = Poster(layout, OVERVIEW, INK)
    pixels = np.concatenate(list(poster.strips()))
    out = BytesIO()
    PIL.Image.fromarray(pixels).save(out, "WEBP", quality=80, method=2)
    name = f"atlas/{layout.pk}/overview-{layout.revision}.webp"
    default_storage.save(name, ContentFile(out.getvalue()))
    old = Layout.objects.values_list("overview", flat=True).get(pk=layout.pk)
    Layout.objects.filter(pk=layout.pk).update(overview=name)
    layout.overview = name
    if old and old != name:
        default_storage.delete(old)
