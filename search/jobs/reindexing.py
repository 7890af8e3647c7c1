"""Reindexing: extract what is missing, or everything again, then bring the indexes up to date."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from django.contrib.auth.models import User
from django.db import transaction

from search.exceptions import JobClosed, SpaceUnavailable
from search.features.backlog import mark_stale, pending, unmark_stale
from search.features.versions import accept, states_of
from search.jobs.extraction_queue import enqueue_missing
from search.jobs.progress import StopWhenClosed, closing
from search.jobs.queue import send
from search.methods import ALL, METHODS, spaces_of
from search.models import Job
from search.snapshots.build import behind, build


def start_job(*, spaces: Sequence[str], force: bool = False, user: User | None = None) -> Job:
    """Start a job for these spaces, or all of them. Returns at once. Raises UnknownSpace.

    With ``force``, features that are there are extracted again, and a version that was rolled back may come again.
    """
    names = list(dict.fromkeys(space for method in spaces or [ALL] for space in spaces_of(method)))
    job = Job.objects.create(spaces=names, force=force, requested_by=user)
    transaction.on_commit(partial(send, "search.tasks.advance_job", job.pk))
    return job


def advance(job_id: int) -> None:
    """Advance a job by one step. Safe to call at any time, by several at once.

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
    that lack a feature get it all the same, job or no job.
    """
    with transaction.atomic():
        if not job.cancel():
            return False
        # Another forced job may still want the same features.
        if job.force:
            others = Job.objects.filter(state__in=Job.UNFINISHED, force=True).values_list("spaces", flat=True)
            still_forced = {space for spaces in others for space in spaces}
            unmark_stale(space for space in job.spaces if space not in still_forced)
    return True


def note_progress() -> None:
    """Write down how far the running jobs are; those with nothing left to extract go on. Called after every batch."""
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
            mark_stale(states_of(job.spaces))
    enqueue_missing(states_of(METHODS), at_once=True)


def _extracting(job: Job) -> bool:
    """Whether pictures still lack a feature; writes down how many do."""
    left = max(map(pending, states_of(job.spaces)))
    total = max(job.total, left)
    job.note(stage="extracting features" if left else "", done=total - left, total=total)
    return left > 0


def _build(job: Job) -> None:
    """Build what is behind. The next sweep tries a space again that cannot be built now."""
    problem = ""
    for space in job.spaces:
        job.note(stage=f"building the index of {space}", error="")
        try:
            build(space, StopWhenClosed(job))
        except SpaceUnavailable as error:  # the others need not wait for it
            problem = f"{space}: {error}"
    if problem:
        job.note(stage="waiting", error=problem)
    elif not any(map(behind, states_of(job.spaces))):
        job.finish()
