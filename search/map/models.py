"""Maps of spaces: the database has the positions; tiles of thumbnails are a cache in the storage, named by rows."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext

from search.methods import label_of
from search.models import BackgroundJob


class Layout(BackgroundJob):
    """A map of a space: a position for each picture. The newest that is done serves; the one before is retained."""

    space = models.CharField(max_length=40, db_index=True)
    tries = models.PositiveSmallIntegerField(default=0)
    count = models.PositiveIntegerField(default=0, help_text="Pictures that were laid out together")
    revision = models.PositiveIntegerField(default=0, help_text="Raised with every picture added or removed")
    sequence = models.BigIntegerField(default=0, help_text="Changes of the space up to this one are in it")
    positions = models.BinaryField(
        null=True, db_column="places", help_text="search/map/codec.py, in the order of their slots"
    )
    labels = models.JSONField(default=list, help_text="Cluster labels: text, x, y, count, level")
    overview = models.CharField(max_length=100, blank=True, help_text="Storage name of a picture of the whole map")

    class Meta:
        ordering = ["-id"]
        verbose_name = "map"

    def __str__(self) -> str:
        return f"Map {self.pk} of {self.space}"

    @property
    def label(self) -> str:
        """The space's name for people, in the active language."""
        return gettext(label_of(self.space))


class Point(models.Model):
    """A change since a layout was made: a picture that got its position later, or one that is ``gone``."""

    layout = models.ForeignKey(Layout, on_delete=models.CASCADE, related_name="points")
    image_id = models.BigIntegerField()
    slot = models.PositiveIntegerField()
    position = models.BinaryField(db_column="place", help_text="One position of search/map/codec.py")
    gone = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["layout", "image_id"], name="point_once")]

    def __str__(self) -> str:
        return f"Picture {self.image_id} on map {self.layout_id}"


class Tile(models.Model):
    """A square of thumbnails in the storage; the file's name has ``digest``, so it never changes."""

    layout = models.ForeignKey(Layout, on_delete=models.CASCADE, related_name="tiles")
    level = models.PositiveSmallIntegerField(help_text="Side of one thumbnail, pixels")
    number = models.PositiveIntegerField()
    content = models.CharField(max_length=16, help_text="Hash of the pictures that belong on it")
    digest = models.CharField(max_length=16, help_text="Hash of the file")

    class Meta:
        db_table = "atlas_page"
        constraints = [models.UniqueConstraint(fields=["layout", "level", "number"], name="page_once")]

    def __str__(self) -> str:
        return f"Tile {self.level}/{self.number} of map {self.layout_id}"
