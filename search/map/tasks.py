"""Tasks of maps; each is safe to run twice."""

from __future__ import annotations

from celery import shared_task

from search.map import services


@shared_task
def advance(layout_id: int) -> None:
    """Make a map."""
    services.advance(layout_id)


@shared_task
def catch_up(space: str) -> None:
    """Add new pictures to the map that serves, and remove deleted ones."""
    services.catch_up(space)


@shared_task
def sweep() -> None:
    """Ask for what is missing."""
    services.sweep()
