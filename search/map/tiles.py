"""Thumbnails of a map, many to a tile, in a pyramid of tiles: browsers load only those that they show.

A tile is ``SIDE`` pixels square. Its cells lie along the Z curve, so four tiles of one level, each halved, are
one tile of the next. The order of slots follows the map (search/map/layout.py), so a tile shows a neighbourhood.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from io import BytesIO

import numpy as np
import PIL.Image
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from numpy.typing import NDArray

from search.collection import Image, thumbnail
from search.map.models import Layout, Tile
from search.map.positions import current
from search.types import Progress, silent

log = logging.getLogger(__name__)

SIDE = 1024
LEVELS = (128, 64, 32, 16)  # side of a cell, pixels
QUALITY = 80
Pixels = NDArray[np.uint8]


def slots_of(level: int) -> int:
    """Pictures on one tile."""
    return (SIDE // level) ** 2


def cell(number: int, level: int) -> tuple[int, int]:
    """Left and top, in pixels, of a slot's cell: even bits are the column, odd ones the row."""
    within = number % slots_of(level)
    column = sum((within >> (2 * bit) & 1) << bit for bit in range(8))
    row = sum((within >> (2 * bit + 1) & 1) << bit for bit in range(8))
    return column * level, row * level


def draw(layout: Layout, progress: Progress = silent) -> bool:
    """Draw the tiles whose pictures have changed; whether there were any. Safe to stop and call again."""
    drawn = {(tile.level, tile.number): tile for tile in Tile.objects.filter(layout=layout)}
    contents = _contents(_pictures_by_slot(layout))
    dirty = [key for key, content in contents.items() if key not in drawn or drawn[key].content != content[0]]
    for level, number in progress(dirty, len(dirty), "drawing"):
        content, ids = contents[level, number]
        pixels = _from_thumbnails(ids) if level == LEVELS[0] else _from_finer_tiles(layout, level, number)
        _save(Tile(layout=layout, level=level, number=number, content=content), pixels, drawn.get((level, number)))
    _remove([tile for key, tile in drawn.items() if key not in contents])
    return bool(dirty)


def complete(layout: Layout) -> bool:
    """Whether every tile has its row; one whose file was lost has none."""
    last = _slots(layout)
    return Tile.objects.filter(layout=layout).count() == sum(-(-last // slots_of(level)) for level in LEVELS)


def _pictures_by_slot(layout: Layout) -> NDArray[np.int64]:
    """Image id of every slot, -1 where the picture is gone."""
    now = current(layout)
    ids = np.full(_slots(layout), -1, np.int64)
    ids[now.slots] = now.positions["id"]
    return ids


def _slots(layout: Layout) -> int:
    """How many slots were given out."""
    later = layout.points.order_by("-slot").values_list("slot", flat=True).first()
    return max(layout.count, 0 if later is None else later + 1)


def _contents(ids: NDArray[np.int64]) -> dict[tuple[int, int], tuple[str, list[int]]]:
    """(level, number) -> hash of the pictures of that tile, and on the finest level their ids; the finest level first.

    A picture without a thumbnail counts as another content, so that its tiles are drawn again when it has one.
    """
    unready = set(Image.objects.filter(thumbnailed=False).values_list("pk", flat=True)[:10_000])
    contents: dict[tuple[int, int], tuple[str, list[int]]] = {}
    for level in LEVELS:
        size = slots_of(level)
        for number in range(-(-len(ids) // size)):
            part = ids[number * size : (number + 1) * size].tolist()
            waiting = sorted(unready.intersection(part))
            digest = hashlib.sha256(repr((part, waiting)).encode()).hexdigest()[:16]
            contents[level, number] = (digest, part if level == LEVELS[0] else [])
    return contents


def _from_thumbnails(ids: Sequence[int]) -> PIL.Image.Image:
    images = Image.objects.in_bulk([key for key in ids if key >= 0])
    tile = PIL.Image.new("RGB", (SIDE, SIDE))
    for number, key in enumerate(ids):
        if key in images:
            tile.paste(square(images[key], LEVELS[0]), cell(number, LEVELS[0]))
    return tile


def square(image: Image, side: int) -> PIL.Image.Image:
    """The picture squeezed into a square; its mean colour while there is no thumbnail, or if that is lost."""
    if image.thumbnailed:
        size = 256 if side <= 256 else 512
        try:
            return thumbnail(image, size).resize((side, side), PIL.Image.Resampling.BILINEAR)
        except OSError as error:
            log.warning("Thumbnail of picture %s: %s", image.pk, error)
    return PIL.Image.new("RGB", (side, side), image.color)


def _from_finer_tiles(layout: Layout, level: int, number: int) -> PIL.Image.Image:
    tile = PIL.Image.new("RGB", (SIDE, SIDE))
    half = SIDE // 2
    quarters = Tile.objects.filter(layout=layout, level=2 * level, number__in=range(4 * number, 4 * number + 4))
    for finer in quarters:
        quarter = read(finer).resize((half, half), PIL.Image.Resampling.BOX)
        corner = finer.number % 4
        tile.paste(quarter, (corner % 2 * half, corner // 2 * half))
    return tile


def read(tile: Tile) -> PIL.Image.Image:
    """The tile's picture; black if its file is lost, and the row goes, so that it is drawn again."""
    try:
        with default_storage.open(file_name(tile)) as file:
            return PIL.Image.open(file).convert("RGB")
    except OSError:
        note_lost(tile)
        return PIL.Image.new("RGB", (SIDE, SIDE))


def note_lost(tile: Tile) -> None:
    """A tile's file does not exist: the next sweep draws it again."""
    log.warning("%s is lost; it will be drawn again", tile)
    Tile.objects.filter(pk=tile.pk).delete()


def file_name(tile: Tile) -> str:
    """In the storage. The digest is in it, so browsers and proxies may keep the file for ever."""
    return f"atlas/{tile.layout_id}/{tile.level}-{tile.number}-{tile.digest}.webp"


def _save(tile: Tile, pixels: PIL.Image.Image, old: Tile | None) -> None:
    """The file first, then the row that names it, then the old file goes: a row never names a missing file."""
    out = BytesIO()
    pixels.save(out, "WEBP", quality=QUALITY, method=2)
    tile.digest = hashlib.sha256(out.getvalue()).hexdigest()[:16]
    default_storage.save(file_name(tile), ContentFile(out.getvalue()))
    Tile.objects.bulk_create(
        [tile],
        update_conflicts=True,
        unique_fields=["layout", "level", "number"],
        update_fields=["content", "digest"],
    )
    if old and old.digest != tile.digest:
        default_storage.delete(file_name(old))


def _remove(tiles: Sequence[Tile]) -> None:
    Tile.objects.filter(pk__in=[tile.pk for tile in tiles]).delete()
    for tile in tiles:
        default_storage.delete(file_name(tile))


def remove_all(layout: Layout) -> None:
    """Files and rows of a map's tiles, and the file of its overview."""
    _remove(list(layout.tiles.all()))
    if layout.overview:
        default_storage.delete(layout.overview)
