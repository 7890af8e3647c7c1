"""Pictures, their tags and albums. Only gallery/services/ writes rows of them."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from typing import cast

from django.core.files.storage import default_storage
from django.db import models
from django.templatetags.static import static
from django.urls import reverse

THUMBNAIL_SIZES = (256, 512, 1024)  # longest side, pixels
TRASH_RETENTION = timedelta(days=30)  # pictures in the trash can be restored until then
TITLE_LENGTH, TAG_LENGTH = 200, 50
MAX_ID = 2**62  # no id is larger; SQLite raises OverflowError beyond 2**63

# Pillow's format name -> (extension, media type). Only these types are served, so that nothing that a browser could
# run is ever served as what it claims to be.
BROWSER_FORMATS = {
    "JPEG": ("jpg", "image/jpeg"),
    "MPO": ("jpg", "image/jpeg"),  # a JPEG with more pictures behind it, as phones write
    "PNG": ("png", "image/png"),
    "WEBP": ("webp", "image/webp"),
    "GIF": ("gif", "image/gif"),
    "AVIF": ("avif", "image/avif"),
}
OTHER_FORMATS = {
    "HEIF": ("heif", "image/heif"),
    "TIFF": ("tiff", "image/tiff"),
    "BMP": ("bmp", "image/bmp"),
    "JPEG2000": ("jp2", "image/jp2"),
    "PPM": ("ppm", "image/x-portable-anymap"),
    "TGA": ("tga", "image/x-tga"),
    "ICO": ("ico", "image/x-icon"),
}
FORMATS = BROWSER_FORMATS | OTHER_FORMATS


class Tag(models.Model):
    """A word that pictures are found by."""

    name = models.CharField(max_length=TAG_LENGTH, unique=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ShownImages(models.Manager["Image"]):
    """Pictures that are not in the trash: the ones that pages, searches and the API show."""

    def get_queryset(self) -> models.QuerySet[Image]:
        return super().get_queryset().filter(trashed_at=None)


class TrashedImages(models.Manager["Image"]):
    """Pictures that are in the trash."""

    def get_queryset(self) -> models.QuerySet[Image]:
        return super().get_queryset().filter(trashed_at__isnull=False)


def title_key(title: str) -> str:
    """What titles are sorted by, the same in every database: neither case nor diacritics count.

    "Ё" is sorted as "е"; "й" is a letter of its own.
    """
    letters = unicodedata.normalize("NFD", title.casefold()).replace("и\u0306", "й")
    return "".join(c for c in letters if not unicodedata.combining(c))[:TITLE_LENGTH]


class TitleKey(models.CharField[str, str]):
    """The ``title_key`` of the title, whenever the row is saved: collations of databases differ, a column does not."""

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        key = title_key(cast(Image, model_instance).title)
        setattr(model_instance, self.attname, key)
        return key


class Image(models.Model):
    """One picture. Its id is never used again, its bytes never change.

    ``objects`` has no picture that is in the trash, ``in_trash`` has those only, ``everything`` has both.
    """

    # Finds the same bytes again, and names the files.
    sha256 = models.CharField(max_length=64, unique=True)
    format = models.CharField(max_length=20)
    bytes = models.BigIntegerField()
    width = models.PositiveIntegerField(help_text="Pixels, upright")
    height = models.PositiveIntegerField(help_text="Pixels, upright")
    title = models.CharField(max_length=TITLE_LENGTH, blank=True)
    title_key = TitleKey(max_length=TITLE_LENGTH, editable=False, default="")
    tags = models.ManyToManyField(Tag, blank=True, related_name="images")
    color = models.CharField(max_length=7, default="#888888", help_text="Mean colour, shown while loading")
    taken_at = models.DateTimeField(null=True, blank=True)
    camera = models.CharField(max_length=100, blank=True)
    latitude = models.FloatField(null=True, blank=True)
    longitude = models.FloatField(null=True, blank=True)
    # So that workers find what lacks thumbnails without asking the storage for each file.
    thumbnailed = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    trashed_at = models.DateTimeField(null=True, blank=True, editable=False)

    # Django takes the first manager for related objects and the admin, so these hide the trash too.
    objects = ShownImages()
    in_trash = TrashedImages()
    everything = models.Manager["Image"]()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(thumbnailed=False), name="image_unthumbnailed"),
            # Counting what is shown must not read the rows; an index on the time would mislead SQLite's planner.
            models.Index(fields=["id"], condition=models.Q(trashed_at=None), name="image_shown"),
            # For the orders of gallery/web/paging.py.
            models.Index(fields=["title_key", "-id"], condition=models.Q(trashed_at=None), name="image_by_title"),
            models.Index(fields=["-bytes", "-id"], condition=models.Q(trashed_at=None), name="image_by_size"),
            models.Index(fields=["trashed_at"], condition=models.Q(trashed_at__isnull=False), name="image_trashed"),
        ]

    def __str__(self) -> str:
        return self.title or f"Picture {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("gallery:image", args=[self.pk])

    @property
    def file_name(self) -> str:
        """Storage name of the original: its content's hash, and the extension of what it really is."""
        extension = FORMATS.get(self.format, ("bin", ""))[0]
        # Two levels of folders: one with a million files would be slow to list and to back up.
        return f"originals/{self.sha256[:2]}/{self.sha256[2:4]}/{self.sha256}.{extension}"

    def thumbnail_name(self, size: int) -> str:
        """Storage name of a WebP whose longest side is at most ``size`` pixels."""
        return f"thumbnails/{self.sha256[:2]}/{self.sha256[2:4]}/{self.sha256}-{size}.webp"

    @property
    def thumbnail_sizes(self) -> tuple[int, ...]:
        """The sizes that are stored: up to the first that is as large as the picture, which is never scaled up."""
        longest = max(self.width, self.height)
        return tuple(
            size for size, smaller in zip(THUMBNAIL_SIZES, (0, *THUMBNAIL_SIZES), strict=False) if smaller < longest
        )

    @property
    def url(self) -> str:
        return default_storage.url(self.file_name)

    def thumbnail_url(self, size: int = 512) -> str:
        """URL of a small copy; of a placeholder until a worker has made it."""
        if not self.thumbnailed:
            return static("placeholder.svg")
        return default_storage.url(self.thumbnail_name(min(size, self.thumbnail_sizes[-1])))

    @property
    def srcset(self) -> str:
        """Value of an ``srcset`` attribute, or "" while there are no thumbnails."""
        if not self.thumbnailed:
            return ""
        longest = max(self.width, self.height)
        widths = {size: max(1, round(self.width * min(1, size / longest))) for size in self.thumbnail_sizes}
        return ", ".join(f"{self.thumbnail_url(size)} {width}w" for size, width in widths.items())


class Album(models.Model):
    """A titled set of pictures."""

    title = models.CharField(max_length=TITLE_LENGTH)
    images = models.ManyToManyField(Image, blank=True, related_name="albums")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["title"]

    def __str__(self) -> str:
        return self.title
