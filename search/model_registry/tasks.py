"""Tasks of installing models."""

from __future__ import annotations

from celery import shared_task

from search.model_registry import install


@shared_task
def run(fetch_id: int) -> None:
    """Install an encoder."""
    install.run(fetch_id)
