"""Which pictures the gallery shows, a page at a time. Paged by key: page 10,000 costs what page 1 costs."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

from django.core.paginator import InvalidPage
from django.db import connection
from django.db.models import F, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from gallery.models import MAX_ID, Image, Tag

PAGE_SIZE = 48
NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class Sort:
    """An order by what ``images()`` knows, ``down`` from the largest; among equals the newest picture comes first.

    Each has an index in gallery/models.py.
    """

    label: str | Promise
    field: str
    kind: type
    down: bool = False


SORTS: dict[str, Sort] = {
    NEWEST: Sort(_("Newest"), "place", int, down=True),
    "oldest": Sort(_("Oldest"), "place", int),
    "title": Sort(_("Title"), "title_key", str),
    "size": Sort(_("Largest file"), "bytes", int, down=True),
}


@dataclass(frozen=True, slots=True)
class Page:
    """Pictures in order, and the ``page`` parameter of what follows ("" at the end)."""

    images: list[Image]
    next: str


def images(*, tag: str = "", q: str = "", album: int | None = None) -> QuerySet[Image]:
    """Pictures of an album, with a tag and with words in their title; of ``q`` the first 200 characters count.

    Their ``place`` is their id, as it stands in the index that a page is read from.
    """
    found, place = Image.objects.all(), "pk"
    if album is not None:
        found, place = found.filter(albums=album), "Album_images+__image_id"
    if tag:
        known = Tag.objects.filter(name=tag.strip().lower()).values_list("pk", flat=True).first()
        found, place = found.filter(tags=known or 0), "Image_tags+__image_id"
    for word in q[:200].split():
        found = found.filter(_titled(word))
    return found.annotate(place=F(place)).order_by("-place")


def _titled(word: str) -> Q:
    """Titles with this word, in small or large letters. SQLite's LIKE knows these of ASCII only, its REGEXP of all."""
    if connection.vendor == "sqlite" and not word.isascii():
        return Q(title__iregex=re.escape(word))
    return Q(title__icontains=word)


def named(words: str, most: int) -> list[Image]:
    """The newest pictures that have a tag of this name or all these words in their title; at most ``most``."""
    either = Q(pk__in=images(tag=words).values("pk")) | Q(pk__in=images(q=words).values("pk"))
    return list(Image.objects.prefetch_related("tags").filter(either).order_by("-pk")[:most])


def page_of(found: QuerySet[Image], page: str = "", size: int = PAGE_SIZE, *, sort: str = NEWEST) -> Page:
    """One page in an order of SORTS. ``page`` is "" for the first, what a page before gave as ``next``, or a number.

    Raises InvalidPage. Numbers count from 1, are for programs that like them, and cost what they skip.
    """
    order = SORTS[sort]
    found = found.order_by(("-" if order.down else "") + order.field, "-pk")
    if page.isdecimal() and 1 <= int(page) <= 1_000_000:
        start = (int(page) - 1) * size
        rows = list(found[start : start + size + 1])
    else:
        rows = _following(found, order, page, size + 1)
    return Page(rows[:size], _token(rows[size - 1], sort) if len(rows) > size else "")


def _following(found: QuerySet[Image], order: Sort, page: str, most: int) -> list[Image]:
    """What comes after the picture that a token tells of: its equals, then the rest. An index leads to each of both."""
    if not page:
        return list(found[:most])
    key, pk = _place(page, order)
    way = "lt" if order.down else "gt"
    if order.field == "place":
        # Said of both ends of the join: PostgreSQL's planner does not see that what holds of one holds of the other.
        return list(found.filter(**{f"place__{way}": key, f"pk__{way}": key})[:most])
    equals = list(found.filter(**{order.field: key}, pk__lt=pk)[:most])
    return equals + list(found.filter(**{f"{order.field}__{way}": key})[: most - len(equals)])


def _token(last: Image, sort: str) -> str:
    if sort == NEWEST:
        return f"before-{last.pk}"
    place = json.dumps([getattr(last, SORTS[sort].field), last.pk])
    return "after-" + urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _place(page: str, order: Sort) -> tuple[Any, int]:
    """A token's key and picture. Raises InvalidPage for what no page gave."""
    if page.startswith("before-") and page[7:].isdecimal() and order.field == "place":
        return min(int(page[7:]), MAX_ID), 0
    try:
        kind, _, packed = page.partition("-")
        key, pk = json.loads(urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
        if kind != "after" or not isinstance(pk, int) or abs(pk) > MAX_ID:
            raise ValueError(page)
        if type(key) is not order.kind or (type(key) is int and abs(key) > MAX_ID):
            raise ValueError(page)
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidPage("There is no such page. Start from the first, and follow “next”.") from error
    return key, pk
