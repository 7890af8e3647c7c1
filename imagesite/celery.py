"""The Celery application; its settings are the CELERY_ ones of settings.py."""

import os

from celery import Celery
from celery.signals import import_modules, setup_logging, worker_process_init, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "imagesite.settings")

NICENESS = 10

app = Celery("imagesite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# Names that tasks had before; a queue may still hold them when a site is upgraded.
FORMER_NAMES = {
    "search.atlas.tasks.advance": "search.map.tasks.advance",
    "search.atlas.tasks.catch_up": "search.map.tasks.catch_up",
    "search.atlas.tasks.sweep": "search.map.tasks.sweep",
    "search.fetching.tasks.run": "search.model_registry.tasks.run",
    "search.queries.tasks.forget_expired": "search.query_uploads.tasks.forget_expired",
}


@import_modules.connect
def understand_former_names(**_: object) -> None:
    """Run tasks that were queued under a former name; connected after autodiscovery, so the tasks are there."""
    for former, name in FORMER_NAMES.items():
        if name in app.tasks:  # its app may not be installed
            app.tasks[former] = app.tasks[name]


@setup_logging.connect
def leave_logging_alone(**_: object) -> None:
    """Settings have set it up; Celery would give all loggers its own level."""


@worker_process_init.connect
def step_back(**_: object) -> None:
    """Bulk work gives way to queries, and its processes, one for each core, do not start threads of their own."""
    import cv2
    from django.conf import settings

    os.nice(NICENESS)
    cv2.setNumThreads(1)
    settings.ENCODER_THREADS = 1


@worker_ready.connect
def fetch_encoders_at_start(**_: object) -> None:
    """A new site makes its encoders by itself."""
    from imagesite.tasks import fetch_encoders

    fetch_encoders.delay(at_start=True)
