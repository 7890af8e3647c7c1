"""Which images are queued for extraction.

The queue only carries hints. What is missing stands in the database: a lost message costs time, never a picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from search.features import backlog
from search.features.versions import SpaceState
from search.jobs.queue import send
from search.models import Extraction

BATCH = 32  # pictures in a task: a file queue moves about 50 tasks a second
MOST_QUEUED = 3_200  # pictures; further ones wait in the database, where a sweep finds them


def enqueue(ids: Sequence[int], batch_size: int = BATCH) -> None:
    """Queue the extraction of what these images lack, once the current transaction has committed.

    At most ``MOST_QUEUED`` are queued at any time, so that a huge import does not flood the queue.
    """
    room = max(0, MOST_QUEUED - _queued().count())
    for start in range(0, min(len(ids), room), batch_size):
        batch = list(ids[start : start + batch_size])
        backlog.note_enqueued(batch)
        transaction.on_commit(partial(_send, batch))


def enqueue_missing(states: Iterable[SpaceState], *, at_once: bool = False) -> int:
    """Queue the images that lack something in these spaces and are not queued yet; returns how many.

    ``at_once``: no task counts as queued; for when a worker starts, and the tasks of the last one are lost.
    """
    lacking = backlog.lacking(states, thumbnails=True)
    # A picture that was queued once more when it was just done has no task that would delete its row.
    done = Extraction.objects.filter(tries__lt=backlog.MAX_TRIES).exclude(image_id__in=lacking.values("pk"))
    (done if at_once else done.filter(enqueued_at__lte=_lost_before())).delete()
    if not at_once:
        lacking = lacking.exclude(Exists(_queued().filter(image_id=OuterRef("pk"))))
    ids = list(lacking.values_list("pk", flat=True)[:MOST_QUEUED])
    if at_once:
        Extraction.objects.filter(pk__in=ids).update(enqueued_at=_lost_before())
    # A picture that was tried before gets a task of its own: if it kills its worker, no other is blamed.
    tried = set(Extraction.objects.filter(pk__in=ids, tries__gt=0).values_list("pk", flat=True))
    enqueue([key for key in ids if key not in tried])
    enqueue([key for key in ids if key in tried], batch_size=1)
    return len(ids)


def _send(ids: Sequence[int]) -> None:
    """What the broker did not take does not count as queued, so that the next sweep queues it."""
    if not send("search.tasks.extract", ids):
        Extraction.objects.filter(pk__in=ids).update(enqueued_at=_lost_before())


def _lost_before() -> datetime:
    """A task that was queued before this, and has not finished since, is taken for lost."""
    return timezone.now() - timedelta(seconds=settings.TASK_LOST_SECONDS)


def _queued() -> QuerySet[Extraction]:
    """Images whose task may still be running or waiting."""
    lost, now = _lost_before(), timezone.now()
    # Bounded on both sides: a clock that was put back must not hide a picture until it has caught up.
    return Extraction.objects.filter(enqueued_at__gt=lost, enqueued_at__lt=now + (now - lost))
