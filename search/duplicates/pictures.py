"""The pixels of stored pictures, as comparing needs them; the last ones are kept in memory."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import numpy as np

from search.collection import Image, ImageRejected, pixels_of, thumbnail
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
    return pixels_of(image)


def _small(image: Image) -> Pixels:
    if not image.thumbnailed:
        return small(whole(image), THUMBNAIL)
    return np.asarray(thumbnail(image, THUMBNAIL))


def _hash(image: Image) -> str:
    return pixel_hash(whole(image))
