"""Duplicates that were found, and what people decided. Only search/duplicates writes these rows."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from search.collection import Image
from search.duplicates.relations import TRANSFORMS, Relation
from search.duplicates.wording import ADDITION

RELATIONS: tuple[tuple[str, str | Promise], ...] = (
    (Relation.IDENTICAL, _("Identical")),
    (Relation.RECOMPRESSED, _("Recompressed")),
    (Relation.RESIZED, _("Resized")),
    (Relation.MIRRORED_OR_ROTATED, _("Mirrored or rotated")),
    (Relation.CROP, _("Cropped")),
    (Relation.EDITED, _("Edited")),
)


# Functions, so that another wording or another relation needs no migration.
def relation_choices() -> tuple[tuple[str, str | Promise], ...]:
    """Stored relations with their labels."""
    return RELATIONS


def transform_choices() -> list[tuple[int, str | Promise]]:
    """Stored numbers of transforms with their labels."""
    return [(number, ADDITION[transform]) for number, transform in enumerate(TRANSFORMS)]


class Pair(models.Model):
    """Two duplicates and their relation; ``first`` has the smaller id. Stays while one is in the trash."""

    first = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="+", db_index=False)
    second = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="+")
    relation = models.CharField(max_length=12, choices=relation_choices)
    turn = models.PositiveSmallIntegerField(default=0, choices=transform_choices)
    matrix = models.JSONField(help_text="Two rows of three: place in the second -> place in the first, in shares")
    difference = models.FloatField(help_text="Mean difference of what both show, of 255 levels")
    first_share = models.FloatField(default=1.0, help_text="Of the first's area, what the second shows")
    second_share = models.FloatField(default=1.0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["first", "second"], name="pair_once")]

    def __str__(self) -> str:
        return f"Pictures {self.first_id} and {self.second_id}: {self.get_relation_display()}"


class Group(models.Model):
    """Duplicates of one picture, the medoid, that wait for a review. ``keeper`` is the representative, a suggestion."""

    medoid = models.OneToOneField(Image, on_delete=models.CASCADE, related_name="+")
    keeper = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="+", help_text="Suggested")
    reasons = models.JSONField(default=list)
    relation = models.CharField(
        max_length=12, choices=relation_choices, help_text="Of the least alike to the suggested one"
    )
    size = models.PositiveIntegerField()
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["relation", "id"], name="group_by_relation")]
        verbose_name = "group of duplicates"
        verbose_name_plural = "groups of duplicates"

    def __str__(self) -> str:
        return f"Group {self.pk}"


class Member(models.Model):
    """A picture of a group; a picture is in one group at most."""

    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="members")
    image = models.OneToOneField(Image, on_delete=models.CASCADE, related_name="+")

    class Meta:
        ordering = ["image_id"]

    def __str__(self) -> str:
        return f"Picture {self.image_id}"


class Verdict(models.Model):
    """Two contents that people have set apart as no duplicates; outlives the pictures. ``one`` < ``two``."""

    one = models.CharField(max_length=64, help_text="SHA-256")
    two = models.CharField(max_length=64, help_text="SHA-256")
    said_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["one", "two"], name="verdict_once")]
        indexes = [models.Index(fields=["two"], name="verdict_two")]
        verbose_name = "pair that is no duplicate"
        verbose_name_plural = "pairs that are no duplicates"

    def __str__(self) -> str:
        return f"{self.one[:8]} and {self.two[:8]}"


class Decision(models.Model):
    """What somebody decided on a group, with everything that is needed to undo it."""

    class Kind(models.TextChoices):
        KEEP = "keep", "kept one"
        APART = "apart", "not duplicates"

    kind = models.CharField(max_length=5, choices=Kind.choices)
    kept = models.BigIntegerField(null=True, help_text="Id of the picture that was kept")
    trashed = models.JSONField(default=list, help_text="Ids of the pictures that went into the trash")
    tags = models.JSONField(default=list, help_text="Ids of the tags that the kept one got")
    albums = models.JSONField(default=list, help_text="Ids of the albums that the kept one got into")
    verdicts = models.JSONField(default=list, help_text="Ids")
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Decision {self.pk}: {self.get_kind_display()}"


class Recheck(models.Model):
    """A picture to be compared once more, because a duplicate of it is gone."""

    image_id = models.BigIntegerField(primary_key=True)

    def __str__(self) -> str:
        return f"Picture {self.image_id}"


class Cursor(models.Model):
    """How far the changes of a space have been compared; also the row that writers of groups lock."""

    space = models.CharField(max_length=40, primary_key=True)
    version = models.CharField(max_length=80, blank=True)
    sequence = models.BigIntegerField(default=0)
    looked_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.space} up to {self.sequence}"
