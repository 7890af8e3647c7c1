"""What reindexing, laying out a map and installing a model have in common: a row that says who asked for the work, how
far it is, and whether somebody has cancelled it.

A worker claims a job by an UPDATE that only one process can win, writes its progress to the row, and learns from the
same UPDATE that it is to stop. So cancelling needs no message to the worker and outlives the death of either side.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, models
from django.db.models.expressions import Combinable
from django.utils import timezone

Step = TypeVar("Step")

NOTE_SECONDS = 0.5  # between two notes of a loop: each is an UPDATE, and a step may take a millisecond


class JobClosed(Exception):
    """The job was cancelled, or ended by another process: whoever works on it stops and cleans up."""


class BackgroundJob(models.Model):
    """Work that outlives a request. ``done`` of ``total`` steps of ``stage`` are finished; 0 of 0 where unknown."""

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


class JobProgress:
    """Progress (see progress.py) that writes itself to a job's row and ends the loop once the job is cancelled."""

    def __init__(self, job: BackgroundJob) -> None:
        self.job, self._noted_at = job, 0.0

    def __call__(self, steps: Iterable[Step], total: int, label: str) -> Iterator[Step]:
        self.job.note(stage=label, done=0, total=total)
        for number, step in enumerate(steps):
            self.note(done=number)
            yield step

    def note(self, **changes: object) -> None:
        """As the job's, at most every ``NOTE_SECONDS``. Raises JobClosed."""
        if time.monotonic() - self._noted_at >= NOTE_SECONDS:
            self.job.note(**changes)
            self._noted_at = time.monotonic()


class StopWhenClosed(JobProgress):
    """For a loop inside one stage of a job: it shows nothing, and ends once the job is cancelled."""

    def __call__(self, steps: Iterable[Step], total: int, label: str) -> Iterator[Step]:
        for step in steps:
            self.note()
            yield step


@contextmanager
def closing(job: BackgroundJob) -> Iterator[None]:
    """Work on a job: an error closes it with the reason and goes on to the caller; a closed job just ends.

    A database that is away leaves the job unfinished, for the next sweep to resume.
    """
    try:
        yield
    except JobClosed:
        return
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        job.fail(f"{type(error).__name__}: {error}")
        raise
