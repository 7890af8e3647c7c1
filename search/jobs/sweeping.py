"""The periodic look for lost work: everything that is missing stands in the database."""

from __future__ import annotations

from search.features.versions import states_of
from search.jobs.extraction_queue import enqueue_missing
from search.jobs.queue import send
from search.methods import METHODS
from search.models import Job
from search.snapshots.build import due


def sweep(*, at_once: bool = False) -> None:
    """Queue what is missing: features, thumbnails, steps of unfinished jobs, snapshots that are due.

    ``at_once``: as in ``enqueue_missing``.
    """
    states = states_of(METHODS)
    enqueue_missing(states, at_once=at_once)
    for job_id in Job.objects.filter(state__in=Job.UNFINISHED).values_list("pk", flat=True):
        send("search.tasks.advance_job", job_id)
    for state in states:
        if due(state):
            send("search.tasks.build_index", state.name)
