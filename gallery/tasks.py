"""Tasks of the gallery: one call each, safe to run twice."""

from __future__ import annotations

from celery import shared_task

from gallery import services


@shared_task
def purge_trash() -> None:
    """Delete for good some of what has been in the trash for long enough; the next run takes the rest."""
    services.purge_trash()
