"""The originals of many pictures as one zip, written while it is downloaded."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator

from django.core.files.storage import default_storage
from django.db.models import QuerySet, Sum

from gallery.models import FORMATS, Image
from gallery.text import clean_text

LARGEST_ZIP = 2_000_000_000  # bytes
CHUNK = 1 << 18  # bytes


def too_large_for_zip(images: QuerySet[Image]) -> bool:
    """Whether the originals of these pictures have more bytes than one download may."""
    return (images.aggregate(total=Sum("bytes"))["total"] or 0) > LARGEST_ZIP


def as_zip(images: QuerySet[Image]) -> Iterator[bytes]:
    """The originals as they are, in chunks, made while they are sent: memory does not depend on the size."""
    buffer = _Buffer()
    # Not compressed: pictures are already, and it would cost time for nothing.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for image in images.iterator(500):
            try:
                source = default_storage.open(image.file_name)
            except OSError:  # deleted meanwhile
                continue
            # ZipFile does not know sizes beforehand, and must write the header that has room for large ones.
            with source, archive.open(name_in_zip(image), "w", force_zip64=True) as target:
                while chunk := source.read(CHUNK):
                    target.write(chunk)
                    yield buffer.take()
    yield buffer.take()


def name_in_zip(image: Image) -> str:
    """A file name that is safe on every system and unique."""
    title = "".join("-" if c in '/\\:*?"<>|' else c for c in clean_text(image.title, 80)).strip(". ")
    return f"{image.pk} {title}".strip() + "." + FORMATS.get(image.format, ("bin", ""))[0]


class _Buffer:
    """A file that ZipFile writes to, and from which it is taken chunk by chunk; it cannot seek."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        data = b"".join(self.parts)
        self.parts.clear()
        return data

    def flush(self) -> None:
        """For ZipFile; nothing is buffered elsewhere."""

    def close(self) -> None:
        """For ZipFile."""
