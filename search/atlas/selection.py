"""What can be done with pictures that were picked on the map."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import StringIO
from typing import Any

import numpy as np
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import QuerySet, Sum

from gallery.forms import MAX_TAGS
from gallery.models import FORMATS, Album, Image, Tag
from gallery.services import clean_text
from search import features, spaces
from search.engine import search
from search.exceptions import BadQuery, SearchError
from search.types import Query, Result

LARGEST_ZIP = 2_000_000_000  # bytes
MEANT = 500  # pictures that a mean is made of, at most
PIECE = 1 << 18  # bytes


def chosen(ids: Sequence[int]) -> QuerySet[Image]:
    """Those of the pictures that are there."""
    return Image.objects.filter(pk__in=ids).order_by("pk")


def add_tags(*, ids: Sequence[int], names: Iterable[str]) -> int:
    """Give pictures tags besides those that they have; returns how many pictures there were."""
    wanted = sorted({name for raw in names if (name := clean_text(raw.lower(), 50))})[:MAX_TAGS]
    with transaction.atomic():
        Tag.objects.bulk_create([Tag(name=name) for name in wanted], ignore_conflicts=True)
        keys = list(chosen(ids).values_list("pk", flat=True))
        for tag in Tag.objects.filter(name__in=wanted):
            tag.images.add(*keys)
    return len(keys)


def add_to_album(*, ids: Sequence[int], title: str) -> Album:
    """Put pictures into the album of this title; there is a new one if there was none."""
    with transaction.atomic():
        album = Album.objects.filter(title=title).first() or Album.objects.create(title=title)
        album.images.add(*chosen(ids).values_list("pk", flat=True))
    return album


def like_all(*, ids: Sequence[int], space: str, limit: int) -> Result:
    """Pictures near the mean of these, without them. Raises SearchError if none has a feature yet."""
    method = spaces.serving(space)
    # Evenly from a large selection: more do not move the mean.
    some = ids[:: -(-len(ids) // MEANT)]
    stored = features.current(space).filter(image_id__in=some).values_list("data", flat=True)
    fitting = [bytes(data) for data in stored if data is not None and method.fits(bytes(data))]
    if not fitting:
        raise BadQuery("None of these pictures can be searched by yet.")
    if method.metric != "euclidean":
        raise SearchError("Pictures of this way of searching have no mean.")
    rows = method.rows(fitting).astype(np.float32)
    mean, length = rows.mean(axis=0), np.linalg.norm(rows, axis=1).mean()
    mean *= length / (np.linalg.norm(mean) or 1.0)  # as long as they are
    return search(Query({space: mean[np.newaxis]}, exclude=frozenset(some)), method=space, limit=limit)


Write = Callable[[QuerySet[Image]], Iterator[bytes]]
COLUMNS = ("id", "title", "tags", "width", "height", "format", "bytes", "sha256", "created_at", "url")


def described(image: Image) -> dict[str, Any]:
    values = {name: getattr(image, name) for name in COLUMNS if name not in {"tags", "created_at", "url"}}
    tags = sorted(tag.name for tag in image.tags.all())
    return {**values, "tags": tags, "created_at": image.created_at.isoformat(), "url": image.get_absolute_url()}


def as_json(images: QuerySet[Image]) -> Iterator[bytes]:
    between = b"[\n"
    for image in images.prefetch_related("tags").iterator(500):
        yield between + json.dumps(described(image), ensure_ascii=False).encode()
        between = b",\n"
    yield b"\n]\n" if between == b",\n" else b"[]\n"


def as_csv(images: QuerySet[Image]) -> Iterator[bytes]:
    yield _csv_line(COLUMNS)
    for image in images.prefetch_related("tags").iterator(500):
        row = described(image) | {"tags": ", ".join(tag.name for tag in image.tags.all())}
        yield _csv_line([_harmless(row[name]) for name in COLUMNS])


def _csv_line(cells: Iterable[object]) -> bytes:
    line = StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()


def _harmless(value: object) -> object:
    """Spreadsheets run what begins like a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value


def as_zip(images: QuerySet[Image]) -> Iterator[bytes]:
    """The originals, as they are; written while they are read, so that size is no matter of memory."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for image in images.iterator(500):
            extension = FORMATS.get(image.format, ("bin", ""))[0]
            name = f"{image.pk} {clean_text(image.title, 80)}".replace("/", "-").replace("\\", "-").strip()
            try:
                source = default_storage.open(image.file_name)
            except OSError:  # deleted meanwhile
                continue
            with source, archive.open(f"{name}.{extension}", "w", force_zip64=True) as target:
                while piece := source.read(PIECE):
                    target.write(piece)
                    yield sink.taken()
    yield sink.taken()


class _Sink:
    """Where a zip is written to and taken from piece by piece."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        data = b"".join(self.parts)
        self.parts.clear()
        return data

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is open."""


def zip_size(images: QuerySet[Image]) -> int:
    """Bytes of the originals."""
    return images.aggregate(total=Sum("bytes"))["total"] or 0


# Format -> media type, writer.
EXPORTS: dict[str, tuple[str, Write]] = {
    "json": ("application/json", as_json),
    "csv": ("text/csv; charset=utf-8", as_csv),
    "zip": ("application/zip", as_zip),
}
