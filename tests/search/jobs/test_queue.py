"""Tasks that are sent by their names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError

from search.circuit_breaker import CircuitBreaker
from search.jobs import queue

NAME = re.compile(r"send,? ?\(?\"([a-z_.]+)\"")


def names_sent() -> set[str]:
    """Every task name that production code hands to ``send``."""
    files = (
        path for folder in ("gallery", "search", "imagesite") for path in Path(settings.BASE_DIR, folder).rglob("*.py")
    )
    return {name for path in files for name in NAME.findall(path.read_text())}


def test_every_name_that_is_sent_is_of_a_task() -> None:
    names = names_sent()
    assert {"search.tasks.extract", "search.map.tasks.advance"} <= names
    assert names <= set(current_app.tasks)


def test_a_process_that_knows_no_tasks_sends_them_to_their_queues(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []
    monkeypatch.setattr(queue.current_app, "send_task", lambda *task: sent.append(task))
    monkeypatch.delitem(current_app.tasks, "search.tasks.extract")
    assert queue.send("search.tasks.extract", [1, 2])
    assert sent == [("search.tasks.extract", ([1, 2],))]
    assert current_app.amqp.router.route({}, "search.tasks.extract")["queue"].name == "extract"


def test_a_broker_that_is_away_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def refuse(*arguments: object) -> None:
        tried.append(arguments)
        raise OperationalError("away")

    monkeypatch.setattr(queue, "breaker", CircuitBreaker(queue.breaker.pause))
    monkeypatch.setattr(current_app.tasks["search.tasks.sweep"], "delay", refuse)
    assert not queue.send("search.tasks.sweep")
    assert not queue.send("search.tasks.sweep")
    assert tried == [()]
