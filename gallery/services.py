"""The only writers of pictures, tags and albums: pages, API, admin and commands all call these."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.utils import timezone

from gallery.decoding import Decoded, Limits, decode
from gallery.models import Image, Tag
from gallery.signals import images_added, images_deleted


@dataclass(frozen=True, slots=True)
class Added:
    """The image with these bytes, and whether it is new."""

    image: Image
    created: bool


def limits() -> Limits:
    """What the settings allow one picture to be."""
    return Limits(
        max_bytes=settings.MAX_IMAGE_BYTES,
        max_pixels=settings.MAX_IMAGE_PIXELS,
        max_frames=settings.MAX_IMAGE_FRAMES,
    )


def add_image(
    *, data: bytes, title: str = "", file_name: str = "", tags: Sequence[str] = (), tell: bool = True
) -> Added:
    """Store a picture, or find the one with the same bytes, which is left as it is.

    Raises ImageRejected, and stores nothing, if ``data`` is not a picture that this site takes.
    A caller that adds many sets ``tell`` to False, and calls ``tell_added`` for many at once.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    if existing := Image.objects.filter(sha256=sha256).first():
        return Added(existing, created=False)
    image = _described(sha256, data, decode(data, limits=limits()))
    image.title = clean_text(title or PurePath(file_name.replace("\\", "/")).stem, 200)
    with transaction.atomic():
        _lock_content(sha256)
        if existing := Image.objects.filter(sha256=sha256).first():
            return Added(existing, created=False)
        default_storage.save(image.file_name, ContentFile(data))
        image.save()
        set_tags(image=image, names=tags)
        if tell:
            images_added.send(Image, ids=[image.pk])
    return Added(image, created=True)


def tell_added(*, ids: Sequence[int]) -> None:
    """Let others know of new pictures. One that nobody is told of is found by the next sweep."""
    with transaction.atomic():
        images_added.send(Image, ids=list(ids))


def update_image(*, image: Image, title: str | None = None, tags: Sequence[str] | None = None) -> None:
    """Change what is given; ``None`` leaves a field as it is."""
    with transaction.atomic():
        if title is not None:
            image.title = clean_text(title, 200)
            image.save(update_fields=["title"])
        if tags is not None:
            set_tags(image=image, names=tags)


def set_tags(*, image: Image, names: Iterable[str]) -> None:
    """Make these the image's tags; names are cleaned, empty ones ignored."""
    wanted = sorted({name for raw in names if (name := clean_text(raw.lower(), 50))})
    Tag.objects.bulk_create([Tag(name=name) for name in wanted], ignore_conflicts=True)
    image.tags.set(Tag.objects.filter(name__in=wanted))


def delete_images(*, ids: Iterable[int]) -> int:
    """Delete pictures, their files and all that others derived from them; returns how many there were."""
    with transaction.atomic():
        images = list(Image.objects.select_for_update().filter(pk__in=list(ids)))
        found = [image.pk for image in images]
        images_deleted.send(Image, ids=found)
        Image.objects.filter(pk__in=found).delete()
    for image in images:
        _remove_files(image)
    return len(images)


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
        if not Image.objects.filter(sha256=image.sha256).exists():
            for name in (image.file_name, *map(image.thumbnail_name, image.thumbnail_sizes)):
                default_storage.delete(name)


def _lock_content(sha256: str) -> None:
    """Until the transaction ends, nobody else adds or removes these bytes. SQLite has one writer anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int(sha256[:15], 16)])
