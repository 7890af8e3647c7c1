"""A server that did not answer is left alone, and then tried by one caller."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from search.circuit_breaker import CircuitBreaker

PAUSE = 10.0
THREADS = 16


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(PAUSE, clock)


def allowed_at_once(breaker: CircuitBreaker) -> int:
    """How many of some threads that ask at the same time may ask the server."""
    barrier = Barrier(THREADS)

    def ask(_: int) -> bool:
        barrier.wait()
        return breaker.allows()

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(ask, range(THREADS)))


def test_while_a_server_answers_everybody_may_ask_it(breaker: CircuitBreaker) -> None:
    assert allowed_at_once(breaker) == THREADS
    breaker.succeeded()
    assert allowed_at_once(breaker) == THREADS


def test_after_one_failure_nobody_asks_until_the_pause_is_over(breaker: CircuitBreaker, clock: Clock) -> None:
    breaker.failed()
    assert allowed_at_once(breaker) == 0
    clock.now += PAUSE - 0.001
    assert allowed_at_once(breaker) == 0


def test_after_the_pause_one_thread_tries_for_all(breaker: CircuitBreaker, clock: Clock) -> None:
    breaker.failed()
    clock.now += PAUSE
    assert allowed_at_once(breaker) == 1
    assert allowed_at_once(breaker) == 0


def test_a_trial_that_succeeds_lets_everybody_ask_again(breaker: CircuitBreaker, clock: Clock) -> None:
    breaker.failed()
    clock.now += PAUSE
    assert breaker.allows()
    breaker.succeeded()
    assert allowed_at_once(breaker) == THREADS


def test_the_pause_begins_when_a_failure_is_known_not_when_the_call_began(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    breaker.failed()
    clock.now += PAUSE
    assert breaker.allows()
    clock.now += 3  # the timeout of the trial
    breaker.failed()
    clock.now += PAUSE - 0.001
    assert not breaker.allows()
    clock.now += 0.001
    assert breaker.allows()


def test_a_trial_that_never_reports_is_followed_by_another(breaker: CircuitBreaker, clock: Clock) -> None:
    breaker.failed()
    clock.now += PAUSE
    assert breaker.allows()
    clock.now += PAUSE
    assert allowed_at_once(breaker) == 1
