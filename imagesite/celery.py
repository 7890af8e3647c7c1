"""The Celery application. Its settings are those of settings.py that begin with CELERY_."""

import os

from celery import Celery
from celery.signals import import_modules, setup_logging, worker_process_init, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "imagesite.settings")

NICENESS = 10  # of processes that extract features

app = Celery("imagesite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# Former name of a task -> its name. A queue may still hold messages under it when a site is upgraded.
FORMER_NAMES = {
    "search.atlas.tasks.advance": "search.map.tasks.advance",
    "search.atlas.tasks.catch_up": "search.map.tasks.catch_up",
    "search.atlas.tasks.sweep": "search.map.tasks.sweep",
    "search.fetching.tasks.run": "search.model_registry.tasks.run",
    "search.queries.tasks.forget_expired": "search.query_uploads.tasks.forget_expired",
}


@import_modules.connect
def understand_former_names(**_: object) -> None:
    """Run tasks that were queued under a former name. Connected after autodiscovery, so that the tasks are known."""
    for former, name in FORMER_NAMES.items():
        if name in app.tasks:  # its app may not be installed
            app.tasks[former] = app.tasks[name]


@setup_logging.connect
def keep_logging_as_configured(**_: object) -> None:
    """Django has configured it by LOGGING. Without a receiver here, Celery would replace that."""


@worker_process_init.connect
def yield_to_queries(**_: object) -> None:
    """Bulk work gives way to queries. Its processes, one for each core, start no threads of their own."""
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
