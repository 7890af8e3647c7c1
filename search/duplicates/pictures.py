"""The pixels of stored pictures, as comparing needs them; the last ones are kept in memory."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from typing import TypeVar

import numpy as np
import PIL.Image
from django.core.files.storage import default_storage

from gallery.decoding import decode
from gallery.exceptions import ImageRejected
from gallery.models import Image
from gallery.services import limits
from search.duplicates.pairs import pixel_hash, small
from search.types import Pixels

log = logging.getLogger(__name__)
Read = TypeVar("Read")
THUMBNAIL = 512
KEPT = 256  # small pictures, 400 kB each


class Unreadable(Exception):
    """A picture whose file is not there, or is none."""


class Pictures:
    """Reads each picture once for all the pairs that it is in. Raises Unreadable where it cannot, which is logged."""

    def __init__(self) -> None:
        self._small = lru_cache(KEPT)(_small)
        self._hash = lru_cache(100 * KEPT)(_hash)
        self._unreadable = set[int]()

    def small(self, image: Image) -> Pixels:
        """Upright pixels, the longest side at most ``THUMBNAIL``."""
        return self._read(self._small, image)

    def hash(self, image: Image) -> str:
        """Of all decoded pixels."""
        return self._read(self._hash, image)

    def _read(self, how: Callable[[Image], Read], image: Image) -> Read:
        if image.pk in self._unreadable:
            raise Unreadable
        try:
            return how(image)
        except (OSError, ImageRejected) as error:
            self._unreadable.add(image.pk)
            log.warning("Picture %s cannot be compared: %s", image.pk, error)
            raise Unreadable from error


def whole(image: Image) -> Pixels:
    """The decoded original, as every method sees it."""
    with default_storage.open(image.file_name) as file:
        return decode(file.read(), limits=limits()).pixels


def _small(image: Image) -> Pixels:
    if not image.thumbnailed:
        return small(whole(image), THUMBNAIL)
    size = min(THUMBNAIL, image.thumbnail_sizes[-1])
    with default_storage.open(image.thumbnail_name(size)) as file, PIL.Image.open(BytesIO(file.read())) as picture:
        return np.asarray(picture.convert("RGB"))


def _hash(image: Image) -> str:
    return pixel_hash(whole(image))
