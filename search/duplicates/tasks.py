"""Doors for the queue: one call, safe to run twice."""

from __future__ import annotations

from celery import shared_task

from search.duplicates import finding, services
from search.duplicates.models import Cursor
from search.duplicates.spaces import COPIES
from search.jobs.queue import send

# Of one task; then others have their turn. Looking for parts is slow and may take its time, from sweep to sweep.
SECONDS, SECONDS_FOR_PARTS = 20.0, 5.0


@shared_task
def find() -> None:
    """Look for duplicates among what is new, and ask for another turn if there is more."""
    try:
        looked = finding.find(seconds=SECONDS if finding.waiting_in(COPIES) else SECONDS_FOR_PARTS)
    except Exception as error:
        Cursor.objects.filter(pk=COPIES).update(problem=f"{type(error).__name__}: {error}")
        raise
    if looked and finding.waiting_in(COPIES):
        send("search.duplicates.tasks.find")


@shared_task
def sweep() -> None:
    """Forget old decisions, and look for duplicates among what is new."""
    services.forget_old()
    if finding.waiting():
        find()
