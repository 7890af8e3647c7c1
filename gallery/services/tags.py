"""Tags of pictures. A name is one line in lower case; each is stored once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models import QuerySet

from gallery.models import TAG_LENGTH, Image, Tag
from gallery.text import clean_text


def clean_name(text: str) -> str:
    """The name of a tag, as it is stored; "" if nothing is left of the text."""
    return clean_text(text.lower(), TAG_LENGTH)


def set_tags(*, image: Image, names: Iterable[str]) -> None:
    """Make these the image's tags; names are cleaned, empty ones ignored."""
    image.tags.set(_tags(names))


def add_tags(*, ids: Sequence[int], names: Iterable[str]) -> int:
    """Give pictures tags in addition to those that they have; returns how many pictures there were."""
    with transaction.atomic():
        images = list(Image.objects.filter(pk__in=ids).values_list("pk", flat=True))
        for tag in _tags(names):
            tag.images.add(*images)
    return len(images)


def save_tag(*, tag: Tag) -> None:
    """Store a new tag, or an old one under its changed name."""
    tag.name = clean_name(tag.name)
    tag.save()


def delete_tags(*, ids: Iterable[int]) -> None:
    """Delete tags; the pictures stay."""
    Tag.objects.filter(pk__in=list(ids)).delete()


def _tags(names: Iterable[str]) -> QuerySet[Tag]:
    """The tags of these names, made if they are new."""
    cleaned = sorted({name for text in names if (name := clean_name(text))})
    # Somebody else may be adding the same tag at this moment.
    Tag.objects.bulk_create([Tag(name=name) for name in cleaned], ignore_conflicts=True)
    return Tag.objects.filter(name__in=cleaned)
