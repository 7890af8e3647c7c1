"""The only door from the core of search to the pictures that it searches.

A program that wants this search for its own pictures writes this module anew: pictures by id, their pixels and
thumbnails, the writers that duplicates and transfers call, and the signals that say which pictures came and went.
The pages, forms, APIs and admin of search are made for this gallery and import from it directly.
"""

from __future__ import annotations

from collections.abc import Iterable

import PIL.Image
from django.core.files.storage import default_storage
from django.db.models import QuerySet

from gallery import decoding
from gallery.decoding import Decoded
from gallery.exceptions import Busy, ImageRejected, StorageUnavailable
from gallery.imports.bounded_reader import open_bounded
from gallery.imports.tars import members
from gallery.models import FORMATS, TRASH_RETENTION, Album, Image
from gallery.services import (
    Merged,
    NearDuplicate,
    announce_images,
    import_album,
    import_image,
    limits,
    mark_thumbnailed,
    merge_labels,
    notice_lost_thumbnails,
    put_in_album,
    restore_images,
    trash_images,
    unmerge_labels,
)
from gallery.signals import images_added, images_deleted, near_duplicates_requested
from gallery.storage import storage_errors
from gallery.thumbnails import make_thumbnails
from gallery.zip_download import as_zip
from search.types import Pixels

# Values: ``Image`` is the model of a picture, ``Decoded`` one in memory.
__all__ = ["FORMATS", "TRASH_RETENTION", "Album", "Decoded", "Image", "Merged", "NearDuplicate"]
# What goes wrong: the picture (ImageRejected), too much at once (Busy), or the storage of files (StorageUnavailable).
__all__ += ["Busy", "ImageRejected", "StorageUnavailable", "storage_errors"]
# Writers. The signals are sent inside the transaction that makes the change.
__all__ += ["import_album", "import_image", "make_thumbnails", "mark_thumbnailed", "merge_labels"]
__all__ += ["notice_lost_thumbnails", "put_in_album", "restore_images", "trash_images", "unmerge_labels"]
__all__ += ["announce_images", "images_added", "images_deleted", "near_duplicates_requested"]
# Readers.
__all__ += ["all_images", "as_zip", "decode", "existing", "images", "members", "open_bounded", "pixels_of"]
__all__ += ["read_original", "thumbnail"]


def images() -> QuerySet[Image]:
    """The pictures that searches may find, newest first; those in the trash are left out."""
    return Image.objects.all()


def all_images() -> QuerySet[Image]:
    """All pictures, those in the trash too, newest first."""
    return Image.everything.all()


def existing(ids: Iterable[int]) -> set[int]:
    """Those of these ids that name pictures that searches may find; one query."""
    return set(images().filter(pk__in=list(ids)).values_list("pk", flat=True))


def read_original(image: Image) -> bytes:
    """The picture's file as it was added. Raises OSError, or what a remote storage raises."""
    with default_storage.open(image.file_name) as file:
        data: bytes = file.read()
    return data


def decode(data: bytes) -> Decoded:
    """Decode within the limits of the settings. Raises ImageRejected or Busy."""
    return decoding.decode(data, limits=limits())


def pixels_of(image: Image) -> Pixels:
    """Pixels that features are made from: upright sRGB, uint8 ``(height, width, 3)``.

    Raises ImageRejected, Busy, OSError, or what a remote storage raises.
    """
    return decode(read_original(image)).pixels


def thumbnail(image: Image, size: int) -> PIL.Image.Image:
    """The stored RGB copy whose longest side is ``size``, one of gallery's sizes, or the largest that there is.

    Only for a picture that is ``thumbnailed``. Raises OSError, or what a remote storage raises.
    """
    with default_storage.open(image.thumbnail_name(min(size, image.thumbnail_sizes[-1]))) as file:
        return PIL.Image.open(file).convert("RGB")
