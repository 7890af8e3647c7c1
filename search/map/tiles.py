"""Small pictures, many to a page, a pyramid of pages: browsers load only those that they show.

A page is ``SIDE`` pixels square. Its cells lie along the Z curve, so four pages of one level, each halved, are
one page of the next. The order of slots follows the map (search/map/layout.py), so a page is a neighbourhood.
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
from search.map.models import Layout, Page
from search.map.positions import shown
from search.types import Progress, silent

log = logging.getLogger(__name__)

SIDE = 1024
LEVELS = (128, 64, 32, 16)  # side of a cell, pixels
QUALITY = 80
Pixels = NDArray[np.uint8]


def slots_of(level: int) -> int:
    """Pictures on one page."""
    return (SIDE // level) ** 2


def cell(number: int, level: int) -> tuple[int, int]:
    """Left and top, in pixels, of a slot's cell: even bits are the column, odd ones the row."""
    within = number % slots_of(level)
    column = sum((within >> (2 * bit) & 1) << bit for bit in range(8))
    row = sum((within >> (2 * bit + 1) & 1) << bit for bit in range(8))
    return column * level, row * level


def draw(layout: Layout, progress: Progress = silent) -> bool:
    """Draw the pages whose pictures have changed; whether there were any. Safe to stop and call again."""
    drawn = {(page.level, page.number): page for page in Page.objects.filter(layout=layout)}
    wanted = _contents(_pictures_by_slot(layout))
    dirty = [key for key, content in wanted.items() if key not in drawn or drawn[key].content != content[0]]
    for level, number in progress(dirty, len(dirty), "drawing"):
        content, ids = wanted[level, number]
        pixels = _from_thumbnails(ids) if level == LEVELS[0] else _from_children(layout, level, number)
        _save(layout, level, number, content, pixels, drawn.get((level, number)))
    _remove([page for key, page in drawn.items() if key not in wanted])
    return bool(dirty)


def complete(layout: Layout) -> bool:
    """Whether every page has its row; one whose file was lost has none."""
    last = _slots(layout)
    return Page.objects.filter(layout=layout).count() == sum(-(-last // slots_of(level)) for level in LEVELS)


def _pictures_by_slot(layout: Layout) -> NDArray[np.int64]:
    """Image id of every slot, -1 where the picture is gone."""
    now = shown(layout)
    ids = np.full(_slots(layout), -1, np.int64)
    ids[now.slots] = now.records["id"]
    return ids


def _slots(layout: Layout) -> int:
    """How many slots were given out."""
    later = layout.points.order_by("-slot").values_list("slot", flat=True).first()
    return max(layout.count, 0 if later is None else later + 1)


def _contents(ids: NDArray[np.int64]) -> dict[tuple[int, int], tuple[str, list[int]]]:
    """(level, number) -> hash of what is to be on that page, and for the first level the pictures; finest first."""
    ready = set(Image.objects.filter(thumbnailed=False).values_list("pk", flat=True)[:10_000])
    wanted: dict[tuple[int, int], tuple[str, list[int]]] = {}
    for level in LEVELS:
        size = slots_of(level)
        for number in range(-(-len(ids) // size)):
            part = ids[number * size : (number + 1) * size].tolist()
            waiting = sorted(ready.intersection(part))
            digest = hashlib.sha256(repr((part, waiting)).encode()).hexdigest()[:16]
            wanted[level, number] = (digest, part if level == LEVELS[0] else [])
    return wanted


def _from_thumbnails(ids: Sequence[int]) -> PIL.Image.Image:
    images = Image.objects.in_bulk([key for key in ids if key >= 0])
    page = PIL.Image.new("RGB", (SIDE, SIDE))
    for number, key in enumerate(ids):
        if key in images:
            page.paste(small(images[key], LEVELS[0]), cell(number, LEVELS[0]))
    return page


def small(image: Image, side: int) -> PIL.Image.Image:
    """The picture squeezed into a square; its mean colour while there is no thumbnail, or if that is lost."""
    if image.thumbnailed:
        wanted = 256 if side <= 256 else 512
        try:
            return thumbnail(image, wanted).resize((side, side), PIL.Image.Resampling.BILINEAR)
        except OSError as error:
            log.warning("Thumbnail of picture %s: %s", image.pk, error)
    return PIL.Image.new("RGB", (side, side), image.color)


def _from_children(layout: Layout, level: int, number: int) -> PIL.Image.Image:
    page = PIL.Image.new("RGB", (SIDE, SIDE))
    half = SIDE // 2
    children = Page.objects.filter(layout=layout, level=2 * level, number__in=range(4 * number, 4 * number + 4))
    for child in children:
        quarter = read(child).resize((half, half), PIL.Image.Resampling.BOX)
        place = child.number % 4
        page.paste(quarter, (place % 2 * half, place // 2 * half))
    return page


def read(page: Page) -> PIL.Image.Image:
    """The page's picture; black if its file is lost, and the row goes, so that it is drawn again."""
    try:
        with default_storage.open(file_name(page)) as file:
            return PIL.Image.open(file).convert("RGB")
    except OSError:
        lost(page)
        return PIL.Image.new("RGB", (SIDE, SIDE))


def lost(page: Page) -> None:
    """Take note that a page's file is not there."""
    log.warning("%s is lost; it will be drawn again", page)
    Page.objects.filter(pk=page.pk).delete()


def file_name(page: Page) -> str:
    return f"atlas/{page.layout_id}/{page.level}-{page.number}-{page.digest}.webp"


def _save(layout: Layout, level: int, number: int, content: str, pixels: PIL.Image.Image, old: Page | None) -> None:
    """The file first, then the row that names it, then the old file goes."""
    out = BytesIO()
    pixels.save(out, "WEBP", quality=QUALITY, method=2)
    digest = hashlib.sha256(out.getvalue()).hexdigest()[:16]
    page = Page(layout=layout, level=level, number=number, content=content, digest=digest)
    default_storage.save(file_name(page), ContentFile(out.getvalue()))
    Page.objects.bulk_create(
        [page],
        update_conflicts=True,
        unique_fields=["layout", "level", "number"],
        update_fields=["content", "digest"],
    )
    if old and old.digest != digest:
        default_storage.delete(file_name(old))


def _remove(pages: Sequence[Page]) -> None:
    Page.objects.filter(pk__in=[page.pk for page in pages]).delete()
    for page in pages:
        default_storage.delete(file_name(page))


def remove_all(layout: Layout) -> None:
    """Files and rows of a map's pages."""
    _remove(list(layout.pages.all()))
    if layout.overview:
        default_storage.delete(layout.overview)
