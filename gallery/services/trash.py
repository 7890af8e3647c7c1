"""Pictures go: to the trash and back, or for good."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from gallery.models import TRASH_RETENTION, Image
from gallery.services.files import remove_files
from gallery.signals import images_added, images_deleted

PURGED_AT_ONCE = 200  # pictures in one transaction, which must not keep other writers waiting


def trash_images(*, ids: Iterable[int]) -> list[int]:
    """Hide pictures, which can be restored for ``TRASH_RETENTION``; returns the ids of those that were shown.

    Other apps are told that they are deleted; files, tags and albums are retained.
    """
    with transaction.atomic():
        trashed = [image.pk for image in Image.objects.select_for_update().filter(pk__in=list(ids))]
        # First, while the pictures are still shown: receivers may look at their rows.
        images_deleted.send(Image, ids=trashed)
        Image.objects.filter(pk__in=trashed).update(trashed_at=timezone.now())
    return trashed


def restore_images(*, ids: Iterable[int]) -> list[int]:
    """Bring pictures back from the trash as they were; returns the ids of those that were in it."""
    with transaction.atomic():
        restored = [image.pk for image in Image.in_trash.select_for_update().filter(pk__in=list(ids))]
        Image.everything.filter(pk__in=restored).update(trashed_at=None)
        if restored:
            images_added.send(Image, ids=restored)
    return restored


def purge_trash(*, ids: Iterable[int] | None = None) -> int:
    """Delete for good what is in the trash: these pictures, or some of those whose time is over. Returns how many."""
    expired = Image.in_trash.filter(trashed_at__lt=timezone.now() - TRASH_RETENTION)
    return _delete(expired[:PURGED_AT_ONCE] if ids is None else Image.in_trash.filter(pk__in=list(ids)))


def delete_images(*, ids: Iterable[int]) -> int:
    """Delete pictures that are shown, their files and all that others derived from them; returns how many."""
    return _delete(Image.objects.filter(pk__in=list(ids)))


def _delete(chosen: QuerySet[Image]) -> int:
    with transaction.atomic():
        images = list(chosen.select_for_update())
        ids = [image.pk for image in images]
        images_deleted.send(Image, ids=ids)
        Image.everything.filter(pk__in=ids).delete()
    # Only now: a transaction that fails can bring rows back, but no files.
    for image in images:
        remove_files(image)
    return len(images)
