"""Pictures that are extracted at once, and what a fresh process finds first."""

from __future__ import annotations

from gallery.services import add_image
from search.features.extraction import extract
from search.retrieval.engine import search
from search.retrieval.live import forget
from search.retrieval.queries import query_by_pixels
from tests.support.images import encode, scene

COUNT = 12  # pictures of the fixture ``ids``


def add(seed: int) -> int:
    image = add_image(data=encode(scene(seed, (120, 90)), "PNG")).image
    extract([image.pk])
    return image.pk


def first(seed: int, space: str) -> tuple[int, dict[str, str]]:
    forget()
    result = search(query_by_pixels(scene(seed, (120, 90)), space), method=space)
    return result.hits[0].key, dict(result.skipped)
