"""What the database knows of searching. It is the truth; every index is a cache of it."""

from __future__ import annotations

import secrets
from typing import NamedTuple

from django.db import models
from django.db.models import F

from search.jobs.background_job import BackgroundJob


class Moment(NamedTuple):
    """A point in the history of a space: the last sequence number given out, and the token of that change."""

    sequence: int = 0
    token: str = ""


class Space(models.Model):
    """One way of seeing, and the counter that orders its changes.

    ``head`` is the last sequence number given out. It is raised by a row-locking UPDATE in the same
    transaction as the change that it numbers, so sequence order is commit order on every database.
    ``token`` is random and new with every change: a database that was restored from a backup gives out the same
    numbers again, but never the same tokens.
    ``version`` answers until a new one is complete, see features/versions.py; empty until the first snapshot is built.
    """

    name = models.CharField(max_length=40, primary_key=True)
    head = models.BigIntegerField(default=0)
    token = models.CharField(max_length=16, blank=True, default="")
    snapshot = models.ForeignKey(
        "Snapshot", null=True, blank=True, on_delete=models.SET_NULL, related_name="+", help_text="In use"
    )

    version = models.CharField(max_length=80, blank=True, default="", help_text="Of the features that are searched")
    refused = models.CharField(
        max_length=80,
        blank=True,
        default="",
        help_text="Version that was rolled back; it does not come again by itself",
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def moment(self) -> Moment:
        return Moment(self.head, self.token)

    def advance(self, count: int) -> None:
        """Give out the next ``count`` numbers; call in the transaction that has locked this row."""
        self.head, self.token = self.head + count, secrets.token_hex(8)
        Space.objects.filter(pk=self.pk).update(head=F("head") + count, token=self.token)
        Commit.objects.bulk_create(
            [Commit(space=self, sequence=self.head, token=self.token)],
            update_conflicts=True,
            unique_fields=["space", "sequence"],
            update_fields=["token"],
        )


class Commit(models.Model):
    """The end of one change, kept while a snapshot or a process may have to ask whether it was in this history."""

    space = models.ForeignKey(Space, on_delete=models.CASCADE, related_name="+")
    sequence = models.BigIntegerField()
    token = models.CharField(max_length=16)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["space", "sequence"], name="commit_sequence_once")]

    def __str__(self) -> str:
        return f"{self.space_id} at {self.sequence}"


class Feature(models.Model):
    """A picture in one space, in one version of its method. A row without data is a tombstone.

    ``image_id`` is no foreign key to the database: the row outlives the picture as its tombstone.
    """

    space = models.ForeignKey(Space, on_delete=models.CASCADE, related_name="features")
    version = models.CharField(max_length=80)
    image_id = models.BigIntegerField()
    data = models.BinaryField(null=True)
    sequence = models.BigIntegerField()
    stale = models.BooleanField(default=False, help_text="To be extracted again; serves until then")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["image_id", "space", "version"], name="feature_once"),
            models.UniqueConstraint(fields=["space", "sequence"], name="feature_sequence_once"),
        ]
        indexes = [
            # Counting what is fresh, and finding what is not, must not read the features themselves.
            models.Index(
                fields=["space", "version", "image_id"],
                condition=models.Q(data__isnull=False, stale=False),
                name="feature_fresh",
            )
        ]

    def __str__(self) -> str:
        return f"{self.space_id} of picture {self.image_id}"


class Extraction(models.Model):
    """A picture that work was asked for and not yet finished; the row goes when the work is done."""

    image_id = models.BigIntegerField(primary_key=True)
    enqueued_at = models.DateTimeField(db_index=True)
    tries = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["image_id"]
        verbose_name = "failed picture"

    def __str__(self) -> str:
        return f"Picture {self.image_id}"


class Snapshot(models.Model):
    """An index folder on disk that holds every change of its space up to ``sequence``."""

    space = models.ForeignKey(Space, on_delete=models.CASCADE, related_name="snapshots")
    version = models.CharField(max_length=80)
    index = models.CharField(max_length=40)
    sequence = models.BigIntegerField()
    token = models.CharField(max_length=16, blank=True, default="", help_text="Of the last change in it")
    count = models.BigIntegerField()
    bytes = models.BigIntegerField()
    folder = models.CharField(max_length=200, unique=True, help_text="Below the snapshot folder")
    checksum = models.CharField(max_length=64, help_text="SHA-256 of meta.json")
    problem = models.TextField(blank=True, help_text="Why it cannot be used, found when it was loaded")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.space_id} at {self.sequence}"

    @property
    def moment(self) -> Moment:
        return Moment(self.sequence, self.token)


class SelfCheck(models.Model):
    """The last comparison of what searches of a space find with an exact search over all that is stored."""

    space = models.OneToOneField(Space, on_delete=models.CASCADE, primary_key=True, related_name="self_check")
    sampled = models.PositiveIntegerField(help_text="Stored pictures that were searched for")
    recall = models.FloatField(help_text="Share of the true nearest ten that was found")
    p50 = models.FloatField(help_text="Milliseconds of a search: half took less")
    p95 = models.FloatField()
    p99 = models.FloatField()
    missing = models.PositiveIntegerField(help_text="Stored, but searches cannot find it")
    orphaned = models.PositiveIntegerField(help_text="Searches find it, but it is not stored")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"Check of {self.space_id}"


class Job(BackgroundJob):
    """Reindexing: ``done`` of ``total`` pictures have their features, then the indexes are built."""

    spaces = models.JSONField(default=list)
    force = models.BooleanField(default=False, help_text="Extract features again that are there already")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Job {self.pk}"
