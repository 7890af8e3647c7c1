"""Tasks of query uploads."""

from __future__ import annotations

from celery import shared_task

from search.query_uploads import services


@shared_task
def forget_expired() -> None:
    """Delete the query uploads that have expired."""
    services.delete_expired()
