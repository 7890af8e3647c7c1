"""The tables of searching. They are the truth; every index is a cache of them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import NamedTuple

from django.conf import settings
from django.db import models
from django.db.models import F
from django.db.models.expressions import Combinable
from django.utils import timezone

from search.exceptions import JobClosed


class Position(NamedTuple):
    """A position in the changelog of a space: the last sequence number given out, and the token of that change.

    Two databases that went different ways since a backup may give out the same number, but never the same token.
    """

    sequence: int = 0
    token: str = ""


class Space(models.Model):
    """A method's features of the whole collection, and the counter that orders their changes.

    ``head`` is the last sequence number given out. It is raised by a row-locking UPDATE in the same
    transaction as the change that it numbers, so sequence order is commit order on every database.
    ``token`` is random and new with every change: a database that was restored from a backup gives out the same
    numbers again, but never the same tokens.
    ``version`` serves until a new one is complete, see features/versions.py; empty until the first snapshot is built.
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
    def position(self) -> Position:
        return Position(self.head, self.token)

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
    """The last position of one change, kept while a snapshot or a process may ask whether this database had it."""

    space = models.ForeignKey(Space, on_delete=models.CASCADE, related_name="+")
    sequence = models.BigIntegerField()
    token = models.CharField(max_length=16)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["space", "sequence"], name="commit_sequence_once")]

    def __str__(self) -> str:
        return f"{self.space_id} at {self.sequence}"


class Feature(models.Model):
    """The feature of an image in a version of a space. A row without data is a tombstone.

    ``image_id`` is no foreign key: the row outlives the image as its tombstone.
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
    """A picture whose extraction is queued or has failed; the row is deleted when it is done."""

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
    def position(self) -> Position:
        return Position(self.sequence, self.token)


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


class BackgroundJob(models.Model):
    """Work that outlives a request: reindexing, laying out a map, installing a model. jobs/progress.py goes through it.

    A worker claims a job by an UPDATE that only one process can win, writes its progress to the row, and learns from
    the same UPDATE that it is to stop. So cancelling needs no message to the worker and outlives the death of either.
    ``done`` of ``total`` steps of ``stage`` are finished; 0 of 0 where unknown.
    """

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    UNFINISHED = (State.QUEUED, State.RUNNING)

    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    stage = models.CharField(max_length=80, blank=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True

    @property
    def finished(self) -> bool:
        """Whether nobody works on it any more, for whatever reason."""
        return self.state not in self.UNFINISHED

    @property
    def summary(self) -> str:
        """State and stage of an unfinished job, state and the last line of the error of a finished one."""
        details = self.error.splitlines()[-1:] if self.finished else [self.stage]
        return ": ".join(filter(None, [self.state, *details]))

    def claim(self, *, resume: bool = False, **changes: object) -> bool:
        """Whether this process may work on it: of several that ask at once, one gets True.

        ``resume`` also takes a running job, for a caller that holds a lock and so knows that its worker is dead.
        """
        claimable = self.UNFINISHED if resume else (self.State.QUEUED,)
        return self._update(claimable, state=self.State.RUNNING, **changes)

    def note(self, **changes: object) -> None:
        """Write down how far it is. Raises JobClosed if it has ended meanwhile."""
        if not self._update(self.UNFINISHED, **changes):
            raise JobClosed(str(self))

    def finish(self, stage: str = "") -> None:
        """Raises JobClosed if it has ended meanwhile, so that a cancelled job never counts as done."""
        self.note(state=self.State.DONE, stage=stage, error="")

    def fail(self, error: str) -> bool:
        """Close it with a reason; False if it has ended already."""
        return self._update(self.UNFINISHED, state=self.State.FAILED, error=error)

    def cancel(self) -> bool:
        """Close it on request; False if it has ended already. A worker on it stops at its next note."""
        return self._update(self.UNFINISHED, state=self.State.CANCELLED, stage="")

    def _update(self, states: Iterable[str], **changes: object) -> bool:
        """One conditional UPDATE; also writes the changes to this instance if the row changed."""
        rows = type(self)._default_manager.filter(pk=self.pk, state__in=list(states))
        if not rows.update(updated_at=timezone.now(), **changes):
            return False
        for name, value in changes.items():
            if not isinstance(value, Combinable):
                setattr(self, name, value)
        return True


class Job(BackgroundJob):
    """Reindexing: ``done`` of ``total`` pictures have their features, then the indexes are built."""

    spaces = models.JSONField(default=list)
    force = models.BooleanField(default=False, help_text="Extract features again that are there already")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Job {self.pk}"
