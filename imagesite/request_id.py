"""One id follows a request through the log, into the tasks that it queues, and back to the client."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from time import perf_counter
from typing import Any
from uuid import uuid4

from celery import Task
from celery.signals import before_task_publish, task_prerun
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.encoding import escape_uri_path

log = logging.getLogger(__name__)

HEADER = "X-Request-ID"
WELL_FORMED = re.compile(r"[\w.-]{1,64}", re.ASCII)  # anything else could forge lines of the log
QUERY_UPLOAD = re.compile(r"(/search(?:es)?/)[^/]{16,}")

request_id: ContextVar[str] = ContextVar("request_id", default="-")


class RequestIdMiddleware:
    """Takes the id that a proxy in front gave the request, or makes one, and answers with it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get(HEADER, "")
        request_id.set(given if WELL_FORMED.fullmatch(given) else uuid4().hex)
        started = perf_counter()
        response = self.get_response(request)
        if settings.LOG_REQUESTS:  # the path without its query: what people search for is private
            path, took = escape_uri_path(request.path), 1000 * (perf_counter() - started)
            log.info("%s %s %s, %.0f ms", request.method, path, response.status_code, took)
        response.headers[HEADER] = request_id.get()
        return response


class RequestIdFilter(logging.Filter):
    """Gives every record its ``request_id``, and hides addresses of query uploads: who knows one sees the picture."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        if isinstance(record.args, tuple):
            record.args = tuple(QUERY_UPLOAD.sub(r"\1*", arg) if isinstance(arg, str) else arg for arg in record.args)
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line, for programs that collect logs."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "request_id": getattr(record, "request_id", "-"),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


@before_task_publish.connect
def send_request_id(headers: MutableMapping[str, Any] | None = None, **_: object) -> None:
    """Put the id into a task's message. The key is ``origin_request``, since ``id`` is Celery's own."""
    if headers is not None:
        headers["origin_request"] = request_id.get()


@task_prerun.connect
def take_request_id(task: Task[..., None], **_: object) -> None:
    """In the worker: what the task logs belongs to the request that queued it."""
    request_id.set(getattr(task.request, "origin_request", None) or "-")
