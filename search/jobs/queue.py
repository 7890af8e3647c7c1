"""The only sender of tasks."""

from __future__ import annotations

import logging
from time import monotonic

from celery import Task
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)

PAUSE = 5.0  # seconds in which a broker that did not answer is not asked again


_silent_until = 0.0


def send(task: Task[..., None], *arguments: object) -> bool:
    """Queue a task; whether that was done. If not it is only late: the next sweep finds the work in the database."""
    global _silent_until
    if monotonic() < _silent_until:
        return False
    try:
        task.delay(*arguments)
    except (OperationalError, OSError) as error:
        _silent_until = monotonic() + PAUSE
        log.warning("%s was not queued, a sweep will do it later: %s", task.name, error)
        return False
    return True
