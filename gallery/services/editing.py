"""What changes of a picture that is stored; its bytes never do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.core.files.storage import default_storage
from django.db import transaction

from gallery.models import TITLE_LENGTH, Image
from gallery.services.tags import set_tags
from gallery.text import clean_text

PAGE = 200  # pictures whose files are looked for between two queries


def update_image(*, image: Image, title: str | None = None, tags: Sequence[str] | None = None) -> None:
    """Change what is given; ``None`` leaves a field as it is."""
    with transaction.atomic():
        if title is not None:
            image.title = clean_text(title, TITLE_LENGTH)
            image.save(update_fields=["title", "title_key"])
        if tags is not None:
            set_tags(image=image, names=tags)


def mark_thumbnailed(*, ids: Iterable[int]) -> None:
    """Note that the thumbnails of these pictures are stored."""
    Image.everything.filter(pk__in=list(ids), thumbnailed=False).update(thumbnailed=True)


def notice_lost_thumbnails() -> int:
    """Let workers make thumbnails again whose files are gone, as after a restore; returns of how many pictures."""
    lost, after = 0, 0
    # By key, not by offset: rows drop out of the query while it goes on.
    while page := list(Image.everything.filter(pk__gt=after, thumbnailed=True).order_by("pk")[:PAGE]):
        gone = [image.pk for image in page if not _has_thumbnail(image)]
        lost += Image.everything.filter(pk__in=gone).update(thumbnailed=False)
        after = page[-1].pk
    return lost


def _has_thumbnail(image: Image) -> bool:
    return default_storage.exists(image.thumbnail_name(image.thumbnail_sizes[0]))
