"""Joins the apps: settings, URLs, queue and API conventions."""

from imagesite.celery import app as celery_app

__all__ = ["celery_app"]
