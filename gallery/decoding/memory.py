"""Memory that the decoders of a process share: a decoder allocates what a picture's header asks for, all at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from gallery.exceptions import Busy


class MemoryBudget:
    """Bytes that threads reserve before they allocate them. ``wait`` is in seconds; who waits holds a thread."""

    def __init__(self, wait: float = 15.0) -> None:
        self.wait = wait
        self._changed, self._reserved = Condition(), 0

    @contextmanager
    def reserved(self, amount: int, total: int) -> Iterator[None]:
        """Wait until ``amount`` bytes more make at most ``total``, or nobody else has any; Busy after ``wait``.

        So a picture that is larger than ``total`` is decoded too, by itself: its limits are for others to check.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: not self._reserved or self._reserved + amount <= total, self.wait):
                raise Busy
            self._reserved += amount
        try:
            yield
        finally:
            with self._changed:
                self._reserved -= amount
                self._changed.notify_all()
