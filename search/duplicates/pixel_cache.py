"""The pixels of stored pictures, as comparisons need them; the last ones stay in memory."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import numpy as np

from search.collection import Image, ImageRejected, pixels_of, thumbnail
from search.duplicates.measures import pixel_hash, shrink
from search.types import Pixels

log = logging.getLogger(__name__)
Read = TypeVar("Read")
THUMBNAIL = 512  # longest side, pixels
CACHED = 256  # thumbnails, 400 kB each


class Unreadable(Exception):
    """The file of a picture is missing, or is no picture."""


class PixelCache:
    """Reads each picture once for all the pairs that it is in. Raises Unreadable where it cannot, which is logged."""

    def __init__(self) -> None:
        self._small = lru_cache(CACHED)(_small)
        self._hash = lru_cache(100 * CACHED)(_hash)
        self._unreadable = set[int]()

    def small(self, image: Image) -> Pixels:
        """Upright pixels, the longest side at most ``THUMBNAIL``."""
        return self._read(self._small, image)

    def hash(self, image: Image) -> str:
        """Of all decoded pixels; see measures.py."""
        return self._read(self._hash, image)

    def _read(self, read: Callable[[Image], Read], image: Image) -> Read:
        if image.pk in self._unreadable:
            raise Unreadable
        try:
            return read(image)
        except (OSError, ImageRejected) as error:
            self._unreadable.add(image.pk)
            log.warning("Picture %s cannot be compared: %s", image.pk, error)
            raise Unreadable from error


def _small(image: Image) -> Pixels:
    if not image.thumbnailed:
        return shrink(pixels_of(image), THUMBNAIL)
    return np.asarray(thumbnail(image, THUMBNAIL))


def _hash(image: Image) -> str:
    return pixel_hash(pixels_of(image))
