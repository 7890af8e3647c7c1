"""New pictures. Each function stores one and differs from the others in what happens around that.

A picture is decoded before a transaction begins: that takes long, and SQLite has one writer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from pathlib import PurePath

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from gallery.decoding import Decoded, Limits, decode
from gallery.models import TITLE_LENGTH, Image
from gallery.services.editing import mark_thumbnailed
from gallery.services.files import content_locked, store_original
from gallery.services.tags import add_tags, set_tags
from gallery.signals import images_added, near_duplicates_requested
from gallery.text import clean_text
from gallery.thumbnails import make_thumbnails


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """A picture of the gallery that shows the same as a new one; ``relation`` says how, for people."""

    image: Image
    relation: str


@dataclass(frozen=True, slots=True)
class Added:
    """The image with these bytes, and whether it was added now.

    With ``near_duplicates`` it is held back: it waits in the trash until somebody says that it is wanted as well.
    """

    image: Image
    created: bool
    near_duplicates: tuple[NearDuplicate, ...] = ()


@dataclass(frozen=True)
class Upload:
    """A picture as it was sent. Without a title it is called after its file."""

    data: bytes
    title: str
    file_name: str
    tags: Sequence[str]

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def stored(self) -> Image | None:
        """The image with the same bytes, even if it is in the trash."""
        return Image.everything.filter(sha256=self.sha256).first()

    def stored_and_locked(self) -> Image | None:
        """The same inside a transaction, until whose end nobody else trashes, restores or deletes it."""
        return Image.everything.select_for_update().filter(sha256=self.sha256).first()

    def described(self, decoded: Decoded) -> Image:
        """The row of this picture, not saved."""
        metadata, taken_at = decoded.metadata, decoded.metadata.taken_at
        if taken_at and timezone.is_naive(taken_at):
            taken_at = timezone.make_aware(taken_at)  # cameras write local time and seldom name the zone
        red, green, blue = decoded.pixels.reshape(-1, 3).mean(axis=0).round().astype(int)
        return Image(
            sha256=self.sha256,
            title=clean_text(self.title or PurePath(self.file_name.replace("\\", "/")).stem, TITLE_LENGTH),
            format=decoded.format,
            bytes=len(self.data),
            width=decoded.width,
            height=decoded.height,
            color=f"#{red:02x}{green:02x}{blue:02x}",
            taken_at=taken_at,
            camera=metadata.camera,
            latitude=metadata.latitude,
            longitude=metadata.longitude,
        )


Store = Callable[[Upload, Decoded], Added]


def limits() -> Limits:
    """What the settings allow one picture to be."""
    return Limits(
        max_bytes=settings.MAX_IMAGE_BYTES,
        max_pixels=settings.MAX_IMAGE_PIXELS,
        max_frames=settings.MAX_IMAGE_FRAMES,
        max_memory=settings.DECODING_MEMORY,
    )


def add_image(*, data: bytes, title: str = "", file_name: str = "", tags: Sequence[str] = ()) -> Added:
    """Store a picture and announce it, or find the image with the same bytes, which stays as it is.

    If that image is in the trash, it is restored, with the title and tags that came now. Raises ImageRejected, and
    stores nothing, if ``data`` is no picture that this site takes; Busy or StorageUnavailable.
    """
    return _add(Upload(data, title, file_name, tags), _store_and_announce)


def add_image_unannounced(*, data: bytes, title: str = "", file_name: str = "", tags: Sequence[str] = ()) -> Added:
    """As ``add_image``, for a caller that adds many and then calls ``announce_images`` for all of them."""
    return _add(Upload(data, title, file_name, tags), _store)


def add_or_hold_image(*, data: bytes, title: str = "", file_name: str = "", tags: Sequence[str] = ()) -> Added:
    """As ``add_image``, but a picture that looks like one of the gallery is held back; the answer names those."""
    return _add(Upload(data, title, file_name, tags), _store_or_hold)


def import_image(*, data: bytes, title: str, tags: Sequence[str], created_at: datetime) -> Added:
    """Store a picture of another site's export, unannounced, with its time there. Its thumbnails are made at once."""
    return _add(Upload(data, title, "", tags), partial(_store_imported, created_at=created_at))


def announce_images(*, ids: Sequence[int]) -> None:
    """Tell other apps of new pictures. If the process dies before it does, the next sweep finds them."""
    with transaction.atomic():
        images_added.send(Image, ids=list(ids))


def _add(upload: Upload, store: Store) -> Added:
    """The image of these bytes if it is shown, or else what ``store`` makes of them."""
    # Most repeated uploads end here, before they are decoded.
    known = upload.stored()
    if known and known.trashed_at is None:
        return Added(known, created=False)
    return store(upload, decode(upload.data, limits=limits()))


def _store(upload: Upload, decoded: Decoded) -> Added:
    with content_locked(upload.sha256):
        # Asked again under the lock: somebody else may have added the same bytes while these were decoded.
        if known := upload.stored_and_locked():
            return _added_again(known, upload)
        image = upload.described(decoded)
        _insert(image, upload)
    return Added(image, created=True)


def _store_and_announce(upload: Upload, decoded: Decoded) -> Added:
    with transaction.atomic():
        added = _store(upload, decoded)
        if added.created:
            images_added.send(Image, ids=[added.image.pk])
    return added


def _store_or_hold(upload: Upload, decoded: Decoded) -> Added:
    # Before the transaction: this is a search, and takes as long as one.
    image = upload.described(decoded)
    near = _near_duplicates(image, decoded)
    if not near:
        return _store_and_announce(upload, decoded)
    with content_locked(upload.sha256):
        if known := upload.stored_and_locked():
            return Added(known, created=False, near_duplicates=near if known.trashed_at else ())
        image.trashed_at = timezone.now()
        _insert(image, upload)
        _add_thumbnails(image, decoded)  # the page that asks what to do shows one
    return Added(image, created=False, near_duplicates=near)


def _store_imported(upload: Upload, decoded: Decoded, *, created_at: datetime) -> Added:
    with content_locked(upload.sha256):
        if known := upload.stored_and_locked():
            return _added_again(known, upload)
        image = upload.described(decoded)
        _insert(image, upload)
        _add_thumbnails(image, decoded)
        Image.everything.filter(pk=image.pk).update(created_at=created_at)  # ``save`` writes the present time
    return Added(image, created=True)


def _insert(image: Image, upload: Upload) -> None:
    """Store file, row and tags. A process that dies in between leaves a file that the next upload replaces."""
    store_original(image, upload.data)
    image.save()
    set_tags(image=image, names=upload.tags)


def _add_thumbnails(image: Image, decoded: Decoded) -> None:
    make_thumbnails(image, decoded)
    mark_thumbnailed(ids=[image.pk])
    image.thumbnailed = True


def _added_again(known: Image, upload: Upload) -> Added:
    """The image whose bytes came once more. From the trash it is restored, with the title and tags of now."""
    if known.trashed_at is None:
        return Added(known, created=False)
    known.trashed_at = None
    known.title = clean_text(upload.title, TITLE_LENGTH) or known.title
    known.save(update_fields=["trashed_at", "title", "title_key"])
    add_tags(ids=[known.pk], names=upload.tags)
    return Added(known, created=True)


def _near_duplicates(image: Image, decoded: Decoded) -> tuple[NearDuplicate, ...]:
    """Pictures of the gallery that show the same, as other apps know. A fault of theirs must not stop an upload."""
    answers = near_duplicates_requested.send_robust(Image, image=image, decoded=decoded)
    return tuple(copy for _, answer in answers if not isinstance(answer, Exception) for copy in answer)
