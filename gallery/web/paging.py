"""Which pictures the gallery shows, a page at a time.

Paged by key (keyset pagination): page 10,000 costs what page 1 costs. By hand, because DRF's CursorPagination orders by
one column and counts an offset among equals, and Django's Paginator counts all rows.
"""

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
    """An order by a field of ``images()``, descending if ``down``; among equals the newest picture comes first.

    Each has an index in gallery/models.py.
    """

    label: str | Promise
    field: str
    kind: type
    down: bool = False


SORTS: dict[str, Sort] = {
    NEWEST: Sort(_("Newest"), "row_id", int, down=True),
    "oldest": Sort(_("Oldest"), "row_id", int),
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

    Their ``row_id`` is their id, in the column of the table whose index a page is read from.
    """
    matching, column = Image.objects.all(), "pk"
    if album is not None:
        matching, column = matching.filter(albums=album), "Album_images+__image_id"
    if tag:
        tag_id = Tag.objects.filter(name=tag.strip().lower()).values_list("pk", flat=True).first()
        matching, column = matching.filter(tags=tag_id or 0), "Image_tags+__image_id"
    for word in q[:200].split():
        matching = matching.filter(_titled(word))
    return matching.annotate(row_id=F(column)).order_by("-row_id")


def _titled(word: str) -> Q:
    """Titles with this word, in any case. SQLite's LIKE ignores the case of ASCII only; its REGEXP is Python's."""
    if connection.vendor == "sqlite" and not word.isascii():
        return Q(title__iregex=re.escape(word))
    return Q(title__icontains=word)


def named(words: str, limit: int) -> list[Image]:
    """The newest pictures that have a tag of this name or all these words in their title; at most ``limit``."""
    either = Q(pk__in=images(tag=words).values("pk")) | Q(pk__in=images(q=words).values("pk"))
    return list(Image.objects.prefetch_related("tags").filter(either).order_by("-pk")[:limit])


def page_of(matching: QuerySet[Image], page: str = "", size: int = PAGE_SIZE, *, sort: str = NEWEST) -> Page:
    """One page in an order of SORTS. ``page`` is "" for the first, the ``next`` of the page before, or a number.

    Raises InvalidPage. Numbers count from 1, for programs that want them; they cost as much as the pages they skip.
    """
    order = SORTS[sort]
    matching = matching.order_by(("-" if order.down else "") + order.field, "-pk")
    if page.isdecimal() and 1 <= int(page) <= 1_000_000:
        start = (int(page) - 1) * size
        rows = list(matching[start : start + size + 1])
    else:
        rows = _following(matching, order, page, size + 1)
    return Page(rows[:size], _token(rows[size - 1], sort) if len(rows) > size else "")


def _following(matching: QuerySet[Image], order: Sort, page: str, limit: int) -> list[Image]:
    """What follows the picture of a token: first its equals, then the rest. Each of the two queries uses an index."""
    if not page:
        return list(matching[:limit])
    key, pk = _parse_token(page, order)
    beyond = "lt" if order.down else "gt"
    if order.field == "row_id":
        # For both sides of the join: PostgreSQL's planner does not conclude from one that it holds for the other.
        return list(matching.filter(**{f"row_id__{beyond}": key, f"pk__{beyond}": key})[:limit])
    equals = list(matching.filter(**{order.field: key}, pk__lt=pk)[:limit])
    return equals + list(matching.filter(**{f"{order.field}__{beyond}": key})[: limit - len(equals)])


def _token(last: Image, sort: str) -> str:
    """The ``page`` of what follows this picture: its key in this order, and its id."""
    if sort == NEWEST:
        return f"before-{last.pk}"
    key = json.dumps([getattr(last, SORTS[sort].field), last.pk])
    return "after-" + urlsafe_b64encode(key.encode()).decode().rstrip("=")


def _parse_token(page: str, order: Sort) -> tuple[Any, int]:
    """A token's key and id. Raises InvalidPage for what ``_token`` did not make."""
    if page.startswith("before-") and page[7:].isdecimal() and order.field == "row_id":
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
