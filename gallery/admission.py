"""How much one process takes in at once. What is more waits a little, or is refused with Busy: memory has an end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from gallery.exceptions import Busy


class Slots:
    """Requests that are being worked on, counted by kind. ``wait`` is in seconds; who waits holds a thread."""

    def __init__(self, wait: float = 5.0) -> None:
        self.wait = wait
        self._changed, self._taken, self._waiting = Condition(), Counter[str](), 0

    @contextmanager
    def taken(self, kind: str, most: int) -> Iterator[None]:
        """One of ``most`` slots; the last one is not for a kind that has all others.

        Half as many may wait for one. Raises Busy for who comes when these wait already, or waited in vain.
        """
        with self._changed:
            if not self._free(kind, most):
                self._await(kind, most)
            self._taken[kind] += 1
        try:
            yield
        finally:
            with self._changed:
                self._taken[kind] -= 1
                self._taken += Counter()  # forgets kinds that have none
                self._changed.notify_all()

    def _free(self, kind: str, most: int) -> bool:
        return self._taken.total() < most and self._taken[kind] < max(1, most - 1)

    def _await(self, kind: str, most: int) -> None:
        if self._waiting >= most // 2:
            raise Busy
        self._waiting += 1
        try:
            if not self._changed.wait_for(lambda: self._free(kind, most), self.wait):
                raise Busy
        finally:
            self._waiting -= 1


class Room:
    """Memory that threads share. ``wait`` is in seconds; who waits holds a thread."""

    def __init__(self, wait: float = 15.0) -> None:
        self.wait = wait
        self._changed, self._used = Condition(), 0

    @contextmanager
    def taken(self, amount: int, most: int) -> Iterator[None]:
        """Wait until ``amount`` more makes at most ``most``, or is all there is; raises Busy after ``wait``."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._used or self._used + amount <= most, self.wait):
                raise Busy
            self._used += amount
        try:
            yield
        finally:
            with self._changed:
                self._used -= amount
                self._changed.notify_all()
