"""The only sender of tasks. Tasks are sent by their registered names, so no sender imports what the task calls."""

from __future__ import annotations

import logging

from celery import current_app
from kombu.exceptions import OperationalError

from search.circuit_breaker import CircuitBreaker

log = logging.getLogger(__name__)

breaker = CircuitBreaker(pause=5.0)  # each failure may cost a request two seconds: see QUEUE in the timeouts


def send(name: str, *arguments: object) -> bool:
    """Queue the task with this registered name, such as ``search.tasks.extract``; returns whether it was queued.

    If not, it is only late: the next sweep finds the work in the database.
    """
    if not breaker.allows():
        return False
    try:
        _publish(name, arguments)
    except (OperationalError, OSError) as error:
        breaker.failed()
        log.warning("%s was not queued, a sweep will do it later: %s", name, error)
        return False
    breaker.succeeded()
    return True


def _publish(name: str, arguments: tuple[object, ...]) -> None:
    # Only a registered task obeys task_always_eager; a web process has registered none and needs only the name.
    if task := current_app.tasks.get(name):
        task.delay(*arguments)
    else:
        current_app.send_task(name, arguments)
