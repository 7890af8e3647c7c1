"""A space whose encoder is replaced."""

from __future__ import annotations

from gallery.services import add_image
from search.models import Space
from search.retrieval.engine import search
from search.retrieval.queries import query_by_pixels
from tests.support.images import encode, scene

SPACE = "neural"


COUNT = 6


def add(seed: int) -> int:
    return add_image(data=encode(scene(seed, (96, 64)), "PNG")).image.pk


def version() -> str:
    return Space.objects.get(pk=SPACE).version


def found(seed: int) -> list[int]:
    result = search(query_by_pixels(scene(seed, (96, 64)), SPACE), method=SPACE)
    assert not result.skipped
    return [hit.key for hit in result.hits]


def everything_is_found(ids: list[int]) -> bool:
    return all(found(seed)[0] == ids[seed] and sorted(found(seed)) == ids for seed in range(len(ids)))
