"""Work that outlives a request: who asked for it, what is left of it, and who does it next.

The queue only carries hints. What is missing stands in the database: a lost message costs time, never a picture.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from search.exceptions import JobClosed, SpaceUnavailable
from search.features import backlog
from search.features.versions import accept, states_of
from search.jobs.progress import StopWhenClosed, closing
from search.jobs.queue import send
from search.methods import ALL, METHODS, spaces_of
from search.models import Extraction, Job
from search.snapshots.build import behind, build, due

log = logging.getLogger(__name__)

BATCH = 32  # pictures in a task: a file queue moves about 50 tasks a second
MOST_QUEUED = 3_200  # pictures; further ones wait in the database, where a sweep finds them


def lost_before() -> datetime:
    """Of a picture that work was asked for before this, and nothing was heard since, the task is taken for lost."""
    return timezone.now() - timedelta(seconds=settings.TASK_LOST_SECONDS)


def enqueue_extraction(ids: Sequence[int], batch_size: int = BATCH) -> None:
    """Ask the workers to extract what these images lack, once the current transaction has committed.

    Beyond ``MOST_QUEUED`` nothing is asked, so that a huge import does not flood the queue.
    """
    room = max(0, MOST_QUEUED - _under_way().count())
    for start in range(0, min(len(ids), room), batch_size):
        batch = list(ids[start : start + batch_size])
        backlog.note_enqueued(batch)
        transaction.on_commit(partial(_send_batch, batch))


def _send_batch(ids: Sequence[int]) -> None:
    """What could not be queued is not under way: the next sweep asks again."""
    if not send("search.tasks.extract", ids):
        Extraction.objects.filter(pk__in=ids).update(enqueued_at=lost_before())


def start_job(*, spaces: Sequence[str], force: bool = False, user: User | None = None) -> Job:
    """Start reindexing: extract what is missing (or everything, with ``force``), then build the indexes.

    With ``force``, a version that was rolled back may come again.

    Returns at once. Raises UnknownSpace.
    """
    names = list(dict.fromkeys(space for method in spaces or [ALL] for space in spaces_of(method)))
    job = Job.objects.create(spaces=names, force=force, requested_by=user)
    transaction.on_commit(partial(send, "search.tasks.advance_job", job.pk))
    return job


def advance(job_id: int) -> None:
    """Bring a job one step on. Safe to call at any time, by several at once.

    An error closes the job with the reason; a server that is away only delays it.
    """
    job = Job.objects.filter(pk=job_id, state__in=Job.UNFINISHED).first()
    if job is None:
        return
    with closing(job):
        if job.state == Job.State.QUEUED:
            _begin(job)
        if not _extracting(job):
            _build(job)


def cancel(job: Job) -> bool:
    """Stop a job; False if it has ended already.

    What it marked to be extracted again, and no worker has extracted since, keeps the features that it has. Pictures
    that lack a feature get it all the same: that is the site's work, whoever asks for it.
    """
    with transaction.atomic():
        if not job.cancel():
            return False
        if job.force:
            others = Job.objects.filter(state__in=Job.UNFINISHED, force=True).values_list("spaces", flat=True)
            still_asked = {space for spaces in others for space in spaces}
            backlog.unmark_stale(space for space in job.spaces if space not in still_asked)
    return True


def note_progress() -> None:
    """Called after every batch: how far the unfinished jobs are; those with nothing left to extract go on."""
    for job in Job.objects.filter(state=Job.State.RUNNING):
        with suppress(JobClosed):
            if not _extracting(job):
                send("search.tasks.advance_job", job.pk)


def _begin(job: Job) -> None:
    """Claimed in the transaction that marks features stale, so that they are marked once."""
    with transaction.atomic():
        if not job.claim():
            return
        if job.force:
            for space in job.spaces:
                accept(space)
            backlog.mark_stale(states_of(job.spaces))
    sweep_missing(at_once=True)


def _extracting(job: Job) -> bool:
    """Whether pictures are still to be done; writes down how many are."""
    pending = max(backlog.pending(state) for state in states_of(job.spaces))
    total = max(job.total, pending)
    job.note(stage="extracting features" if pending else "", done=total - pending, total=total)
    return pending > 0


def _build(job: Job) -> None:
    """Build what is behind. A space that cannot be built now is looked at again by the next sweep."""
    waits = ""
    for space in job.spaces:
        job.note(stage=f"building the index of {space}", error="")
        try:
            build(space, StopWhenClosed(job))
        except SpaceUnavailable as error:  # the others need not wait for it
            waits = f"{space}: {error}"
    if waits:
        job.note(stage="waiting", error=waits)
    elif not any(behind(state) for state in states_of(job.spaces)):
        job.finish()


def sweep(*, at_once: bool = False) -> None:
    """Find what is missing and ask for it: features, thumbnails, jobs that stand still, snapshots that are due.

    ``at_once``: take nothing for being under way; for the start of a worker, when what was under way died.
    """
    sweep_missing(at_once=at_once)
    unfinished = Job.objects.filter(state__in=Job.UNFINISHED)
    for job_id in unfinished.values_list("pk", flat=True):
        send("search.tasks.advance_job", job_id)
    for state in states_of(METHODS):
        if due(state):
            send("search.tasks.build_index", state.name)


def sweep_missing(*, at_once: bool = False) -> int:
    """Enqueue images that lack something and that no task is at work on; returns how many."""
    lacking = backlog.lacking(states_of(METHODS), thumbnails=True)
    # Asked for again when it was just done, and the message was lost: nobody else would strike it off.
    lost = Extraction.objects.filter(tries__lt=backlog.MAX_TRIES).exclude(image_id__in=lacking.values("pk"))
    (lost if at_once else lost.filter(enqueued_at__lte=lost_before())).delete()
    if not at_once:
        lacking = lacking.exclude(Exists(_under_way().filter(image_id=OuterRef("pk"))))
    ids = list(lacking.values_list("pk", flat=True)[:MOST_QUEUED])
    if at_once:
        Extraction.objects.filter(pk__in=ids).update(enqueued_at=lost_before())
    # A picture that was tried before goes alone: if it kills its worker, no other is taken for guilty.
    tried = set(Extraction.objects.filter(pk__in=ids, tries__gt=0).values_list("pk", flat=True))
    enqueue_extraction([key for key in ids if key not in tried])
    enqueue_extraction([key for key in ids if key in tried], batch_size=1)
    return len(ids)


def _under_way() -> QuerySet[Extraction]:
    lost, now = lost_before(), timezone.now()
    # Bounded on both sides: a clock that was put back must not hide a picture until it has caught up.
    return Extraction.objects.filter(enqueued_at__gt=lost, enqueued_at__lt=now + (now - lost))
