"""How many uploads one process works on at once. Others wait a little, or are refused with Busy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from gallery.exceptions import Busy


class UploadSlots:
    """Requests that are being worked on, counted by kind. ``wait`` is in seconds; who waits holds a thread."""

    def __init__(self, wait: float = 5.0) -> None:
        self.wait = wait
        self._changed, self._occupied, self._waiting = Condition(), Counter[str](), 0

    @contextmanager
    def occupied(self, kind: str, slots: int) -> Iterator[None]:
        """Occupy one of the slots. A kind that has all others cannot have the last one, so that none starves the rest.

        Half as many as there are slots may wait for one. Raises Busy for who comes when these wait already, and for
        who has waited in vain.
        """
        with self._changed:
            if not self._is_free(kind, slots):
                self._await(kind, slots)
            self._occupied[kind] += 1
        try:
            yield
        finally:
            with self._changed:
                self._occupied[kind] -= 1
                self._occupied += Counter()  # drops kinds that have none: there is no end of kinds
                self._changed.notify_all()

    def _is_free(self, kind: str, slots: int) -> bool:
        return self._occupied.total() < slots and self._occupied[kind] < max(1, slots - 1)

    def _await(self, kind: str, slots: int) -> None:
        if self._waiting >= slots // 2:
            raise Busy
        self._waiting += 1
        try:
            if not self._changed.wait_for(lambda: self._is_free(kind, slots), self.wait):
                raise Busy
        finally:
            self._waiting -= 1
