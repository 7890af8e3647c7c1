"""Tasks take ids and make one call; each is safe to run twice."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from celery import shared_task
from celery.signals import worker_ready

from search.exceptions import SpaceUnavailable
from search.features import extraction
from search.jobs import reindexing, sweeping
from search.jobs.queue import send
from search.retrieval import recall_check
from search.snapshots.build import build

log = logging.getLogger(__name__)


@shared_task
def extract(ids: Sequence[int]) -> None:
    """Compute what these images lack."""
    extraction.extract(ids)
    reindexing.note_progress()


@shared_task
def build_index(space: str) -> None:
    """Bring a space's snapshot up to its head; the next sweep tries again what cannot be done now."""
    # No retry: the next sweep finds what is due, also after a worker that was killed.
    try:
        build(space)
    except SpaceUnavailable as error:
        log.warning("The index of %s is not built now: %s", space, error)


@shared_task
def advance_job(job_id: int) -> None:
    """Advance a job by one step."""
    reindexing.advance(job_id)


@shared_task
def sweep(at_once: bool = False) -> None:
    """Queue what is missing."""
    sweeping.sweep(at_once=at_once)


@shared_task
def self_check() -> None:
    """Check the spaces whose last check is a day old."""
    for space in recall_check.overdue():
        recall_check.check(space)


@worker_ready.connect
def sweep_at_start(**_: object) -> None:
    """Queue again at once what was running when the last worker died."""
    send("search.tasks.sweep", True)
