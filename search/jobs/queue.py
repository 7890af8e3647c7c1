"""The only sender of tasks. Tasks are sent by their registered names, so no sender imports what the task calls."""

from __future__ import annotations

import logging
from time import monotonic

from celery import current_app
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)

PAUSE = 5.0  # seconds in which a broker that did not answer is not asked again


_silent_until = 0.0


def send(name: str, *arguments: object) -> bool:
    """Queue the task with this registered name, such as ``search.tasks.extract``; returns whether it was queued.

    If not, it is only late: the next sweep finds the work in the database.
    """
    global _silent_until
    if monotonic() < _silent_until:
        return False
    try:
        _publish(name, arguments)
    except (OperationalError, OSError) as error:
        _silent_until = monotonic() + PAUSE
        log.warning("%s was not queued, a sweep will do it later: %s", name, error)
        return False
    return True


def _publish(name: str, arguments: tuple[object, ...]) -> None:
    # Only a registered task obeys task_always_eager; a web process knows no tasks, and needs only the name.
    if task := current_app.tasks.get(name):
        task.delay(*arguments)
    else:
        current_app.send_task(name, arguments)
