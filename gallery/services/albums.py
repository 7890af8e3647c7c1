"""Albums and the pictures in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction

from gallery.models import TITLE_LENGTH, Album, Image
from gallery.text import clean_text


def save_album(*, album: Album) -> None:
    """Store a new album, or an old one under its changed title."""
    album.save()


def delete_albums(*, ids: Iterable[int]) -> None:
    """Delete albums; their pictures stay in the gallery."""
    Album.objects.filter(pk__in=list(ids)).delete()


def add_to_album(*, ids: Sequence[int], title: str) -> Album:
    """Put pictures into the album of this title, which is made if there is none."""
    # Titles are not unique, so that an unlucky moment costs a second album and not an error.
    with transaction.atomic():
        album = Album.objects.filter(title=title).first() or Album.objects.create(title=title)
        put_in_album(album=album, ids=ids)
    return album


def put_in_album(*, album: Album, ids: Sequence[int]) -> None:
    """Put pictures into an album, those of them that are shown."""
    # A page may be older than a deletion: ids that are gone would break the foreign key.
    album.images.add(*Image.objects.filter(pk__in=ids).values_list("pk", flat=True))


def remove_from_album(*, ids: Sequence[int], album: Album) -> None:
    """Take pictures out of an album; they stay in the gallery."""
    album.images.remove(*Image.objects.filter(pk__in=ids).values_list("pk", flat=True))


def set_album_images(*, album: Album, ids: Sequence[int]) -> None:
    """Make these the album's pictures. Those of it that are in the trash stay in the album, for their return."""
    album.images.set(Image.objects.filter(pk__in=ids))


def import_album(*, title: str, created_at: datetime) -> Album:
    """The album of an export: the one with this title and time, which is made if there is none."""
    title = clean_text(title, TITLE_LENGTH)
    with transaction.atomic():
        album, is_new = Album.objects.get_or_create(title=title, created_at=created_at)
        if is_new:
            Album.objects.filter(pk=album.pk).update(created_at=created_at)  # creating writes the present time
    return album
