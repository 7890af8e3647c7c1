"""Doors for the queue."""

from __future__ import annotations

from celery import shared_task

from imagesite import first_encoders


@shared_task
def fetch_encoders(at_start: bool = False) -> None:
    """Fetch the encoders that the settings name and that are not there."""
    first_encoders.fetch_missing(at_start=at_start)
