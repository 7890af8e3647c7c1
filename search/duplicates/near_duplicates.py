"""Stored pictures that are near duplicates of one that somebody is about to add."""

from __future__ import annotations

from django.db.models import Q

from search.collection import Image, NearDuplicate
from search.duplicates import candidates
from search.duplicates.alignment import Matrix
from search.duplicates.comparison import CLOSE_SIDE, compare
from search.duplicates.measures import pixel_hash
from search.duplicates.models import Verdict
from search.duplicates.pixel_cache import PixelCache
from search.duplicates.relations import SAME_PIXELS, Comparison
from search.duplicates.spaces import COPIES
from search.duplicates.wording import describe
from search.methods import get_method
from search.types import Pixels

MOST_COMPARED = 8
MOST_SHOWN = 3


def near_duplicates_of(image: Image, pixels: Pixels) -> list[NearDuplicate]:
    """The nearest first, each with what it is compared with the new one; ``image`` is not stored yet.

    Pictures that somebody has set apart from the new one's content before are left out.
    """
    keys = candidates.near_hash(get_method(COPIES).extract(pixels))
    placements = candidates.placements_of(pixels)
    keys = list(dict.fromkeys([*keys, *placements]))[:MOST_COMPARED]
    images = Image.objects.in_bulk(keys)
    apart = _set_apart_from(image.sha256)
    cache, duplicates = PixelCache(), []
    for key in keys:
        if key in images and images[key].sha256 not in apart:
            duplicate = _compared(images[key], image, pixels, cache, placements.get(key))
            duplicates += [duplicate] if duplicate else []
    return duplicates[:MOST_SHOWN]


def _compared(
    stored: Image, image: Image, pixels: Pixels, cache: PixelCache, placement: Matrix | None
) -> NearDuplicate | None:
    """The stored picture and what it is, compared with the new one; None if it is no duplicate of it."""
    resized = (stored.width, stored.height) != (image.width, image.height)
    if not resized and cache.hash(stored) == pixel_hash(pixels):
        comparison: Comparison | None = SAME_PIXELS
    else:
        small = cache.small(stored)
        comparison = compare(small, pixels, resized=resized, side=CLOSE_SIDE, placement=placement)
    return NearDuplicate(stored, describe(comparison, image, stored, swapped=True)) if comparison else None


def _set_apart_from(sha256: str) -> set[str]:
    """SHA-256 of all contents of which somebody has said that they are no duplicates of this one."""
    verdicts = Verdict.objects.filter(Q(one=sha256) | Q(two=sha256)).values_list("one", "two")
    return {content for verdict in verdicts for content in verdict}
