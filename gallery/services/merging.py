"""Tags and albums of pictures that go, handed to the one that stays; and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from gallery.models import Album, Image, Tag


@dataclass(frozen=True, slots=True)
class Merged:
    """Ids of the tags and albums that an image got."""

    tags: list[int]
    albums: list[int]


def merge_labels(*, image: Image, others: Sequence[int]) -> Merged:
    """Give the image the tags and albums of others, of which it gets those that it lacks."""
    with transaction.atomic():
        tags = Tag.objects.filter(images__in=others).exclude(images=image).distinct()
        albums = Album.objects.filter(images__in=others).exclude(images=image).distinct()
        merged = Merged(sorted(tag.pk for tag in tags), [album.pk for album in albums])
        image.tags.add(*merged.tags)
        image.albums.add(*merged.albums)
    return merged


def unmerge_labels(*, image: Image, merged: Merged) -> None:
    """Take from the image what ``merge_labels`` gave it."""
    with transaction.atomic():
        image.tags.remove(*merged.tags)
        image.albums.remove(*merged.albums)
