"""Tasks of the whole site."""

from __future__ import annotations

from celery import shared_task

from search.model_registry import defaults


@shared_task
def fetch_encoders(at_start: bool = False) -> None:
    """Fetch the encoders that the settings name and that are not there."""
    defaults.install_missing(at_start=at_start)
