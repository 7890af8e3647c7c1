"""Doors for the queue."""

from __future__ import annotations

from celery import shared_task

from search.fetching import fetches


@shared_task
def run(fetch_id: int) -> None:
    """Fetch an encoder."""
    fetches.run(fetch_id)
