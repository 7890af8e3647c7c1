"""Maps of spaces. Places are kept here; pages of small pictures are a cache in the storage, named by rows."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext

from search.methods import label_of
from search.models import BackgroundJob


class Layout(BackgroundJob):
    """One map of a space: a place for each picture. The newest that is done serves; the one before is kept."""

    space = models.CharField(max_length=40, db_index=True)
    tries = models.PositiveSmallIntegerField(default=0)
    count = models.PositiveIntegerField(default=0, help_text="Pictures that were laid out together")
    revision = models.PositiveIntegerField(default=0, help_text="Raised with every picture placed or taken away")
    sequence = models.BigIntegerField(default=0, help_text="Changes of the space up to this one are in it")
    places = models.BinaryField(null=True, help_text="search/map/codec.py, in the order of their slots")
    labels = models.JSONField(default=list, help_text="Names of groups: text, x, y, count, level")
    overview = models.CharField(max_length=100, blank=True, help_text="Storage name of a picture of the whole")

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
    """A change since a layout was made: a picture that was placed later, or one that is ``gone``."""

    layout = models.ForeignKey(Layout, on_delete=models.CASCADE, related_name="points")
    image_id = models.BigIntegerField()
    slot = models.PositiveIntegerField()
    place = models.BinaryField(help_text="One record of search/map/codec.py")
    gone = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["layout", "image_id"], name="point_once")]

    def __str__(self) -> str:
        return f"Picture {self.image_id} on map {self.layout_id}"


class Page(models.Model):
    """A square of small pictures in the storage; the file's name has ``digest``, so it never changes."""

    layout = models.ForeignKey(Layout, on_delete=models.CASCADE, related_name="pages")
    level = models.PositiveSmallIntegerField(help_text="Side of one small picture, pixels")
    number = models.PositiveIntegerField()
    content = models.CharField(max_length=16, help_text="Hash of which pictures are to be in it")
    digest = models.CharField(max_length=16, help_text="Hash of the file")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["layout", "level", "number"], name="page_once")]

    def __str__(self) -> str:
        return f"Page {self.level}/{self.number} of map {self.layout_id}"
