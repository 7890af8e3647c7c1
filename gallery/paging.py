"""Which pictures the gallery shows, a page at a time. Paged by key: page 10,000 costs what page 1 costs."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.paginator import InvalidPage
from django.db.models import QuerySet

from gallery.models import Image

PAGE_SIZE = 48


@dataclass(frozen=True, slots=True)
class Page:
    """Pictures, newest first, and the ``page`` parameter of what follows ("" at the end)."""

    images: list[Image]
    next: str


def images(*, tag: str = "", q: str = "") -> QuerySet[Image]:
    """Pictures with a tag and with words in their title; of ``q`` the first 200 characters count."""
    found = Image.objects.prefetch_related("tags").order_by("-pk")
    if tag:
        found = found.filter(tags__name=tag.strip().lower())
    for word in q[:200].split():
        found = found.filter(title__icontains=word)
    return found


def page_of(found: QuerySet[Image], page: str = "", size: int = PAGE_SIZE) -> Page:
    """One page. ``page`` is "" for the first, what a page before gave as ``next``, or a number counted from 1.

    Raises InvalidPage. Numbers are for programs that like them, and cost what they skip.
    """
    if page.startswith("before-") and page[7:].isdecimal():
        found = found.filter(pk__lt=min(int(page[7:]), 2**62))
    elif page.isdecimal() and 1 <= int(page) <= 1_000_000:
        start = (int(page) - 1) * size
        found = found[start:]
    elif page:
        raise InvalidPage("There is no such page. Start from the first, and follow “next”.")
    rows = list(found[: size + 1])
    return Page(rows[:size], f"before-{rows[size - 1].pk}" if len(rows) > size else "")
