"""Hits with the pictures they stand for, as pages and API show them."""

from __future__ import annotations

from dataclasses import dataclass

from gallery.models import Image
from search.types import Hit, Result


@dataclass(frozen=True, slots=True)
class Answer:
    """One found picture and why it was found."""

    image: Image
    hit: Hit


def answers(result: Result) -> list[Answer]:
    """The pictures of a result, best first, in one query.

    A picture that was deleted since the search is left out.
    """
    images = Image.objects.in_bulk([hit.key for hit in result.hits])
    return [Answer(images[hit.key], hit) for hit in result.hits if hit.key in images]
