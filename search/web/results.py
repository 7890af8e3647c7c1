"""Hits with the pictures they stand for, as pages and API show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext

from gallery.models import Image
from gallery.web.i18n import localized
from search.methods import label_of
from search.types import Hit, Message, Result


@dataclass(frozen=True, slots=True)
class Answer:
    """One found picture and why it was found."""

    image: Image
    hit: Hit


def unanswered(skipped: Mapping[str, Message]) -> list[tuple[str, str]]:
    """The label of each method that could not answer, and why, in the active language."""
    return [(gettext(label_of(space)), localized(reason)) for space, reason in skipped.items()]


def answers(result: Result) -> list[Answer]:
    """The pictures of a result, best first, in one query.

    A picture that was deleted since the search is left out.
    """
    images = Image.objects.in_bulk([hit.key for hit in result.hits])
    return [Answer(images[hit.key], hit) for hit in result.hits if hit.key in images]
