"""Tasks of duplicates; each is safe to run twice."""

from __future__ import annotations

from celery import shared_task

from search.duplicates import detection, services
from search.duplicates.models import Cursor
from search.duplicates.spaces import COPIES
from search.jobs.queue import send

# Of one task; then others have their turn. The slow search for parts goes on at the next sweep, and never sooner.
SECONDS, SECONDS_FOR_PARTS = 20.0, 5.0


@shared_task
def find() -> None:
    """Compare what is new, and ask for another turn if there are more copies to find."""
    try:
        compared = detection.detect(seconds=SECONDS if detection.waiting_copies() else SECONDS_FOR_PARTS)
    except Exception as error:
        Cursor.objects.filter(pk=COPIES).update(problem=f"{type(error).__name__}: {error}")
        raise
    if compared and detection.waiting_copies():
        send("search.duplicates.tasks.find")


@shared_task
def sweep() -> None:
    """Delete old decisions, and compare what is new."""
    services.forget_old()
    if detection.waiting():
        find()
