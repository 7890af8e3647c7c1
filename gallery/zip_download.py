"""The originals of many pictures as one zip, written while it is downloaded."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator

from django.core.files.storage import default_storage
from django.db.models import QuerySet, Sum

from gallery.models import FORMATS, Image
from gallery.text import clean_text

LARGEST_ZIP = 2_000_000_000  # bytes
PIECE = 1 << 18  # bytes


def too_large_for_zip(images: QuerySet[Image]) -> bool:
    """Whether the originals of these pictures have more bytes than one download may."""
    return (images.aggregate(total=Sum("bytes"))["total"] or 0) > LARGEST_ZIP


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
