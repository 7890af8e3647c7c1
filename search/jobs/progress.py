"""How a worker goes through a background job: what it writes down, and when it stops."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError

from search.exceptions import JobClosed
from search.models import BackgroundJob
from search.types import Step

NOTE_SECONDS = 0.5  # between two notes of a loop: each is an UPDATE, and a step may take a millisecond


class JobProgress:
    """Progress (see types.py) that writes itself to a job's row and ends the loop once the job is cancelled."""

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
