"""Keeps requests from waiting, one after the other, for a server that does not answer.

Packages for this (pybreaker, circuitbreaker) open after a number of failures; here one is enough, since each costs a
visitor the whole timeout.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic


class CircuitBreaker:
    """Closed while a server answers; open for ``pause`` seconds after it did not; then half open, for one trial.

    A caller asks ``allows`` first, and reports ``succeeded`` or ``failed`` afterwards. Safe for threads. A caller that
    never reports, because its thread died or raised something else, delays the next trial by one more pause.
    """

    def __init__(self, pause: float, clock: Callable[[], float] = monotonic) -> None:
        self.pause = pause
        self._clock = clock
        self._lock = threading.Lock()
        self._next_trial: float | None = None  # None: closed

    def allows(self) -> bool:
        """Whether the caller may ask the server now."""
        with self._lock:
            if self._next_trial is None:
                return True
            now = self._clock()
            if now < self._next_trial:
                return False
            self._next_trial = now + self.pause  # one thread tries, others go without the server until it reports
            return True

    def succeeded(self) -> None:
        """The server has answered."""
        with self._lock:
            self._next_trial = None

    def failed(self) -> None:
        """The server has not answered. The pause begins now, after the timeout and not before."""
        with self._lock:
            self._next_trial = self._clock() + self.pause
