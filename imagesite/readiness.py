"""Whether this process can do its work now, part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.contrib.staticfiles.storage import staticfiles_storage
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu import Connection
from kombu.exceptions import ChannelError, OperationalError

from imagesite.celery import app
from search.exceptions import SpaceUnavailable
from search.features.versions import states_of
from search.methods import METHODS
from search.retrieval.live import view_of
from search.snapshots.shared import reach

BROKER_TIMEOUT = 1  # second


def database() -> str:
    """What is wrong with it, or ""."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "does not answer"
    return ""


def broker() -> str:
    """What is wrong with it, or ""."""
    try:
        with _connected():
            return ""
    except (OperationalError, OSError):
        return "does not answer; uploads are kept, and worked on when it is back"


def queued_tasks() -> dict[str, int]:
    """How many tasks wait in each queue; {} while the broker does not answer."""
    counts: dict[str, int] = {}
    with suppress(OperationalError, OSError), _connected() as queue:
        channel: Any = queue.channel()
        for name in app.amqp.queues:
            counts[name] = 0
            with suppress(ChannelError):  # Redis knows no empty queue
                counts[name] = channel.queue_declare(name, passive=True).message_count
    return counts


@contextmanager
def _connected() -> Iterator[Connection]:
    """A connection to the broker. Raises OperationalError or OSError, within some BROKER_TIMEOUT."""
    with app.connection_for_write(connect_timeout=BROKER_TIMEOUT) as queue:
        queue.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT)
        yield queue


def static() -> str:
    """What is wrong with the static files, or ""."""
    try:
        staticfiles_storage.url("favicon.svg")
    except ValueError:
        return "not collected: run manage.py collectstatic"
    return ""


def spaces() -> dict[str, str]:
    """Space -> why it cannot answer in full (no model, no snapshot that can be loaded, a silent server), or ""."""
    problems: dict[str, str] = {}
    for state in states_of(METHODS):
        try:
            view = view_of(state)
            reach(view.index)
            problems[state.name] = view.problem or ""
        except SpaceUnavailable as error:
            problems[state.name] = str(error)
    return problems


@login_not_required
@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 while everything works. 503 says what does not; without a database nothing else is asked."""
    problems = {"database": database()}
    checks: list[Callable[[], dict[str, str]]] = [lambda: {"broker": broker(), "static": static()}, spaces]
    for check in checks if not problems["database"] else []:
        problems |= check()
    ready = not any(problems.values())
    parts = {name: problem or "ok" for name, problem in problems.items()}
    return JsonResponse({"status": "ok" if ready else "not ready", "parts": parts}, status=200 if ready else 503)
