"""What can be done with many pictures at once: tags, albums, one zip of their originals."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import QuerySet, Sum

from gallery.models import FORMATS, Album, Image, Tag
from gallery.services import clean_text

LARGEST_ZIP = 2_000_000_000  # bytes
PIECE = 1 << 18  # bytes


def add_tags(*, ids: Sequence[int], names: Iterable[str]) -> int:
    """Give pictures tags besides those that they have; returns how many pictures there were."""
    wanted = sorted({name for raw in names if (name := clean_text(raw.lower(), 50))})
    with transaction.atomic():
        Tag.objects.bulk_create([Tag(name=name) for name in wanted], ignore_conflicts=True)
        keys = list(Image.objects.filter(pk__in=ids).values_list("pk", flat=True))
        for tag in Tag.objects.filter(name__in=wanted):
            tag.images.add(*keys)
    return len(keys)


def add_to_album(*, ids: Sequence[int], title: str) -> Album:
    """Put pictures into the album of this title; there is a new one if there was none."""
    with transaction.atomic():
        album = Album.objects.filter(title=title).first() or Album.objects.create(title=title)
        album.images.add(*Image.objects.filter(pk__in=ids).values_list("pk", flat=True))
    return album


def moved_album(*, title: str, created_at: datetime) -> Album:
    """The album that was made then under this title, on the site that had it before; there is a new one if not."""
    with transaction.atomic():
        title = clean_text(title, 200)
        album, new = Album.objects.get_or_create(title=title, created_at=created_at)
        if new:
            Album.objects.filter(pk=album.pk).update(created_at=created_at)
    return album


def remove_from_album(*, ids: Sequence[int], album: Album) -> None:
    """Take pictures out of an album; they stay in the gallery."""
    album.images.remove(*Image.objects.filter(pk__in=ids).values_list("pk", flat=True))


def zip_size(images: QuerySet[Image]) -> int:
    """Bytes of the originals."""
    return images.aggregate(total=Sum("bytes"))["total"] or 0


def as_zip(images: QuerySet[Image]) -> Iterator[bytes]:
    """The originals as they are, in pieces, written while they are read: size is no matter of memory."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for image in images.iterator(500):
            try:
                source = default_storage.open(image.file_name)
            except OSError:  # deleted meanwhile
                continue
            with source, archive.open(name_in_zip(image), "w", force_zip64=True) as target:
                while piece := source.read(PIECE):
                    target.write(piece)
                    yield sink.taken()
    yield sink.taken()


def name_in_zip(image: Image) -> str:
    """A file name that is safe on every system, and no two pictures' own."""
    title = "".join("-" if c in '/\\:*?"<>|' else c for c in clean_text(image.title, 80)).strip(". ")
    return f"{image.pk} {title}".strip() + "." + FORMATS.get(image.format, ("bin", ""))[0]


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
