"""The only writers of pictures, tags and albums: pages, API, admin and commands all call these."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from gallery.decoding import Decoded, Limits, decode
from gallery.models import TRASH_RETENTION, Image, Tag
from gallery.signals import copies_wanted, images_added, images_deleted
from gallery.storage import speaking_to_storage
from gallery.thumbnails import make_thumbnails

AT_ONCE = 200  # pictures in one transaction


@dataclass(frozen=True, slots=True)
class Copy:
    """A picture that is here already and shows the same as a new one; ``relation`` says how, for people."""

    image: Image
    relation: str


@dataclass(frozen=True, slots=True)
class Added:
    """The image with these bytes, and whether it is new here.

    With ``copies`` it is not shown yet: it waits in the trash for somebody to say that it is wanted beside them.
    """

    image: Image
    created: bool
    copies: tuple[Copy, ...] = ()


def limits() -> Limits:
    """What the settings allow one picture to be."""
    return Limits(
        max_bytes=settings.MAX_IMAGE_BYTES,
        max_pixels=settings.MAX_IMAGE_PIXELS,
        max_frames=settings.MAX_IMAGE_FRAMES,
        max_memory=settings.DECODING_MEMORY,
    )


def add_image(
    *,
    data: bytes,
    title: str = "",
    file_name: str = "",
    tags: Sequence[str] = (),
    tell: bool = True,
    hold_copies: bool = False,
    thumbnails: bool = False,
    created_at: datetime | None = None,
) -> Added:
    """Store a picture, or find the one with the same bytes, which is left as it is, but taken out of the trash.

    Raises ImageRejected, and stores nothing, if ``data`` is not a picture that this site takes; Busy or StorageAway.
    A caller that adds many sets ``tell`` to False, and calls ``tell_added`` for many at once.
    With ``hold_copies`` a picture that looks like one that is here is kept back, and the answer names those.
    ``thumbnails`` are made here rather than by a worker; ``created_at`` is when it came to the site that had it before.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    known = Image.everything.filter(sha256=sha256).first()
    if known and known.trashed_at is None:
        return Added(known, created=False)
    decoded = decode(data, limits=limits())
    image = _described(sha256, data, decoded)
    image.title = clean_text(title or PurePath(file_name.replace("\\", "/")).stem, 200)
    copies = _copies(image, decoded) if hold_copies else ()
    with transaction.atomic():
        _lock_content(sha256)
        if known := Image.everything.filter(sha256=sha256).first():
            return _found_again(known, clean_text(title, 200), tags, tell=tell, copies=copies)
        with speaking_to_storage():
            default_storage.save(image.file_name, ContentFile(data))
        if copies or thumbnails:
            make_thumbnails(image, decoded)
            image.thumbnailed = True
        image.trashed_at = timezone.now() if copies else None
        image.save()
        if created_at:
            Image.everything.filter(pk=image.pk).update(created_at=created_at)
        set_tags(image=image, names=tags)
        if tell and not copies:
            images_added.send(Image, ids=[image.pk])
    return Added(image, created=not copies, copies=copies)


def tell_added(*, ids: Sequence[int]) -> None:
    """Let others know of new pictures. One that nobody is told of is found by the next sweep."""
    with transaction.atomic():
        images_added.send(Image, ids=list(ids))


def update_image(*, image: Image, title: str | None = None, tags: Sequence[str] | None = None) -> None:
    """Change what is given; ``None`` leaves a field as it is."""
    with transaction.atomic():
        if title is not None:
            image.title = clean_text(title, 200)
            image.save(update_fields=["title", "title_key"])
        if tags is not None:
            set_tags(image=image, names=tags)


def set_tags(*, image: Image, names: Iterable[str]) -> None:
    """Make these the image's tags; names are cleaned, empty ones ignored."""
    image.tags.set(_tags(names))


def _tags(names: Iterable[str]) -> QuerySet[Tag]:
    wanted = sorted({name for raw in names if (name := clean_text(raw.lower(), 50))})
    Tag.objects.bulk_create([Tag(name=name) for name in wanted], ignore_conflicts=True)
    return Tag.objects.filter(name__in=wanted)


def delete_images(*, ids: Iterable[int]) -> int:
    """Delete pictures, their files and all that others derived from them; returns how many there were."""
    return _delete(Image.objects.filter(pk__in=list(ids)))


def trash_images(*, ids: Iterable[int]) -> list[int]:
    """Take pictures out of sight, for ``TRASH_RETENTION`` with a way back; returns the ids of those that were there.

    To all who listen they are deleted; files, tags and albums are kept.
    """
    with transaction.atomic():
        found = [image.pk for image in Image.objects.select_for_update().filter(pk__in=list(ids))]
        images_deleted.send(Image, ids=found)
        Image.objects.filter(pk__in=found).update(trashed_at=timezone.now())
    return found


def restore_images(*, ids: Iterable[int], tell: bool = True) -> list[int]:
    """Bring pictures back from the trash as they were; returns the ids of those that were in it."""
    trashed = Image.in_trash.filter(pk__in=list(ids))
    with transaction.atomic():
        found = [image.pk for image in trashed.select_for_update()]
        Image.everything.filter(pk__in=found).update(trashed_at=None)
        if tell and found:
            images_added.send(Image, ids=found)
    return found


def purge_trash(*, ids: Iterable[int] | None = None) -> int:
    """Delete for good what is in the trash: these pictures, or else those whose time is over."""
    over = Image.in_trash.filter(trashed_at__lt=timezone.now() - TRASH_RETENTION)
    return _delete(over[:AT_ONCE] if ids is None else Image.in_trash.filter(pk__in=list(ids)))


def notice_lost_thumbnails() -> int:
    """Let workers make thumbnails again whose files are gone; returns of how many pictures."""
    lost, after = 0, 0
    while page := list(Image.everything.filter(pk__gt=after, thumbnailed=True).order_by("pk")[:AT_ONCE]):
        gone = [one.pk for one in page if not default_storage.exists(one.thumbnail_name(one.thumbnail_sizes[0]))]
        lost += Image.everything.filter(pk__in=gone).update(thumbnailed=False)
        after = page[-1].pk
    return lost


def _delete(chosen: QuerySet[Image]) -> int:
    with transaction.atomic():
        images = list(chosen.select_for_update())
        found = [image.pk for image in images]
        images_deleted.send(Image, ids=found)
        Image.everything.filter(pk__in=found).delete()
    for image in images:
        _remove_files(image)
    return len(images)


def _copies(image: Image, decoded: Decoded) -> tuple[Copy, ...]:
    """What those who listen know of pictures here that show the same. One that fails must not stop an upload."""
    answers = copies_wanted.send_robust(Image, image=image, decoded=decoded)
    return tuple(copy for _, answer in answers if not isinstance(answer, Exception) for copy in answer)


def _found_again(known: Image, title: str, tags: Sequence[str], *, tell: bool, copies: tuple[Copy, ...]) -> Added:
    """The picture whose bytes were sent once more. Out of the trash it comes back, with what is said of it now."""
    if known.trashed_at is None:
        return Added(known, created=False)
    if copies:
        return Added(known, created=False, copies=copies)
    restore_images(ids=[known.pk], tell=tell)
    known.refresh_from_db()
    known.tags.add(*_tags(tags))
    if title:
        known.title = title
        known.save(update_fields=["title", "title_key"])
    return Added(known, created=True)


def clean_text(text: str, length: int) -> str:
    """One line without control or invisible formatting characters, cut to ``length``."""
    visible = "".join(" " if unicodedata.category(c) in {"Cc", "Cf", "Cs"} else c for c in text)
    return " ".join(visible.split())[:length].rstrip()


def _described(sha256: str, data: bytes, decoded: Decoded) -> Image:
    metadata = decoded.metadata
    taken_at = metadata.taken_at
    if taken_at and timezone.is_naive(taken_at):
        taken_at = timezone.make_aware(taken_at)  # cameras write local time and seldom say whose
    red, green, blue = decoded.pixels.reshape(-1, 3).mean(axis=0).round().astype(int)
    return Image(
        sha256=sha256,
        format=decoded.format,
        bytes=len(data),
        width=decoded.width,
        height=decoded.height,
        color=f"#{red:02x}{green:02x}{blue:02x}",
        taken_at=taken_at,
        camera=metadata.camera,
        latitude=metadata.latitude,
        longitude=metadata.longitude,
    )


def _remove_files(image: Image) -> None:
    """Delete the files, unless the same bytes were added again since the row went."""
    with transaction.atomic():
        _lock_content(image.sha256)
        if not Image.everything.filter(sha256=image.sha256).exists():
            for name in (image.file_name, *map(image.thumbnail_name, image.thumbnail_sizes)):
                default_storage.delete(name)


def _lock_content(sha256: str) -> None:
    """Until the transaction ends, nobody else adds or removes these bytes. SQLite has one writer anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int(sha256[:15], 16)])
