"""Pictures in the trash, a page at a time. Paged by key, as the gallery is."""

from __future__ import annotations

from datetime import datetime

from django.core.paginator import InvalidPage
from django.db.models import Q, QuerySet
from django.utils import timezone

from gallery.models import MAX_ID, Image
from gallery.web.paging import Page

PAGE_SIZE = 60


def trash_page(page: str = "", size: int = PAGE_SIZE) -> Page:
    """The last trashed first. ``page`` is "" for the first, or the ``next`` of the page before. Raises InvalidPage."""
    trashed = Image.in_trash.order_by("-trashed_at", "-pk")
    rows = list((_older(trashed, page) if page else trashed)[: size + 1])
    return Page(rows[:size], _token(rows[size - 1]) if len(rows) > size else "")


def _older(trashed: QuerySet[Image], page: str) -> QuerySet[Image]:
    """What was trashed before the picture that a token names."""
    moment, _, key = page.rpartition("_")
    try:
        since, below = datetime.fromisoformat(moment), min(int(key), MAX_ID)
        if timezone.is_naive(since):
            raise ValueError(page)
    except ValueError as error:
        raise InvalidPage("There is no such page.") from error
    # Many are trashed at the same moment, so that the id decides among them.
    return trashed.filter(Q(trashed_at__lt=since) | Q(trashed_at=since, pk__lt=below))


def _token(last: Image) -> str:
    return f"{last.trashed_at.isoformat()}_{last.pk}" if last.trashed_at else ""
