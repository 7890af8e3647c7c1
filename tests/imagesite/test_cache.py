"""The site goes on without its cache, and does not wait for it again and again."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from django.test import Client, RequestFactory
from rest_framework.throttling import UserRateThrottle

from imagesite import cache
from imagesite.cache import FaultTolerantRedisCache
from search.circuit_breaker import CircuitBreaker

TIMEOUTS = {"socket_connect_timeout": 0.2, "socket_timeout": 0.2}


@pytest.fixture(autouse=True)
def breaker(monkeypatch: pytest.MonkeyPatch) -> CircuitBreaker:
    fresh = CircuitBreaker(pause=3_600)
    monkeypatch.setattr(cache, "breaker", fresh)
    return fresh


class SilentServer:
    """Takes connections and never answers."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.cache = FaultTolerantRedisCache(
            f"redis://127.0.0.1:{self.socket.getsockname()[1]}/0", {"OPTIONS": TIMEOUTS}
        )

    def connections(self) -> int:
        """How many there were since the last call."""
        count = 0
        while True:
            try:
                self.socket.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1


@pytest.fixture
def silent() -> Iterator[SilentServer]:
    server = SilentServer()
    yield server
    server.socket.close()


def test_a_cache_that_cannot_be_reached_is_empty_and_takes_everything() -> None:
    unreachable = FaultTolerantRedisCache("redis://127.0.0.1:1/0", {})
    unreachable.set("name", 1)
    assert unreachable.get("name", "nothing") == "nothing"
    assert unreachable.add("name", 1)
    assert not unreachable.delete("name")


def test_a_silent_cache_is_asked_once_and_then_left_alone(silent: SilentServer) -> None:
    assert silent.cache.get("name", "nothing") == "nothing"
    assert silent.connections() == 1
    silent.cache.set("name", 1)
    assert silent.cache.add("name", 1)
    assert silent.cache.get("name", "nothing") == "nothing"
    assert silent.connections() == 0


def test_a_cache_is_asked_again_after_the_pause(silent: SilentServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "breaker", CircuitBreaker(pause=0))
    for _ in range(2):
        assert silent.cache.get("name") is None
        assert silent.connections() == 1


def test_rates_let_everybody_pass_while_the_cache_is_silent(silent: SilentServer) -> None:
    class Rate(UserRateThrottle):
        rate, scope, cache = "1/hour", "test", silent.cache

    request = RequestFactory().get("/")
    request.user = None
    assert [Rate().allow_request(request, None) for _ in range(3)] == [True, True, True]
    assert silent.connections() == 1


@pytest.mark.django_db
def test_a_page_is_shown_while_the_cache_is_silent(silent: SilentServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gallery.web.counting.cache", silent.cache)
    assert Client().get("/tags/").status_code == 200
    assert silent.connections() == 1
