"""Files of pictures, in step with their rows: named by content, so that two rows never share a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, transaction

from gallery.models import Image
from gallery.storage import storage_errors


@contextmanager
def content_locked(sha256: str) -> Iterator[None]:
    """A transaction in which nobody else adds or removes these bytes.

    Without it, an upload could find its row while a deletion of the same bytes is about to remove the file.
    """
    with transaction.atomic():
        if connection.vendor == "postgresql":  # SQLite has one writer anyway
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int(sha256[:15], 16)])
        yield


def store_original(image: Image, data: bytes) -> None:
    """Raises StorageUnavailable."""
    with storage_errors():
        default_storage.save(image.file_name, ContentFile(data))


def remove_files(image: Image) -> None:
    """Delete original and thumbnails, unless the same bytes were added again since the row was deleted."""
    with content_locked(image.sha256):
        if not Image.everything.filter(sha256=image.sha256).exists():
            for name in (image.file_name, *map(image.thumbnail_name, image.thumbnail_sizes)):
                default_storage.delete(name)
