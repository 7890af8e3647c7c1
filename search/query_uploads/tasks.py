"""Doors for the queue."""

from __future__ import annotations

from celery import shared_task

from search.query_uploads import services


@shared_task
def forget_expired() -> None:
    """Delete the query pictures whose time is over."""
    services.sweep()
