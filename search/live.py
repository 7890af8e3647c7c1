"""What a process holds to answer queries: per space the newest snapshot, and a tail of what came after it.

One cheap query tells whether anything changed. A view is never altered once searches can see it: a change makes
a new view, so searches need no lock and a picture is found by every process as soon as it is committed.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from django.db import connection

from search import snapshots
from search.indexes.base import Index
from search.indexes.brute import BruteIndex
from search.methods import get_method
from search.models import Space
from search.types import Features, Keys, Matches

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class View:
    """A space as of ``sequence``. ``hidden``: those of the index's keys whose row there is outdated, sorted."""

    index: Index
    index_keys: Keys
    tail: BruteIndex
    hidden: Keys
    sequence: int
    snapshot_id: int | None
    problem: str = ""

    def search(self, feature: Features, k: int) -> Matches:
        """The ``min(k, len(self))`` nearest; exact as far as the snapshot's index is."""
        return self._merged(self._from_index(feature, k), self.tail.search(feature, k), k)

    def within(self, feature: Features, radius: float) -> Matches:
        """All at distance <= ``radius``."""
        return self._merged(self._shown(self.index.within(feature, radius)), self.tail.within(feature, radius))

    def __len__(self) -> int:
        return len(self.index) - len(self.hidden) + len(self.tail)

    def _from_index(self, feature: Features, k: int) -> Matches:
        """Ask for a little more than ``k``, and for more again where hidden rows took the places."""
        ask = k + min(len(self.hidden), 16)
        while True:
            found = self.index.search(feature, ask)
            shown = self._shown(found)
            if len(shown) >= k or len(found) < ask:
                return shown
            ask *= 2

    def _shown(self, matches: Matches) -> Matches:
        if not len(self.hidden):
            return matches
        keep = ~np.isin(matches.keys, self.hidden)
        return Matches(matches.keys[keep], matches.distances[keep])

    def _merged(self, one: Matches, other: Matches, k: int | None = None) -> Matches:
        keys = np.concatenate([one.keys, other.keys])
        return Matches.ranked(keys, np.concatenate([one.distances, other.distances]), k)


class LiveSpace:
    """One space in this process; ``view()`` is as fresh as the database."""

    def __init__(self, space: str) -> None:
        self.space = space
        self._view: View | None = None
        self._lock = threading.Lock()
        self._loading: threading.Thread | None = None

    def view(self) -> View:
        """The space as of now: everything committed before this call is in it."""
        row = Space.objects.filter(pk=self.space).values_list("head", "snapshot_id").first()
        head, snapshot_id = row or (0, None)
        view = self._view
        if view and view.sequence == head and view.snapshot_id == snapshot_id:
            return view
        with self._lock:
            if self._view is None or head < self._view.sequence:
                self._view = self._load()  # the first time, or the database is an older one than it was
            elif self._view.snapshot_id != snapshot_id:
                self._load_beside()
            self._view = _caught_up(self.space, self._view, head)
            return self._view

    def _load(self) -> View:
        """A view of the newest usable snapshot with an empty tail."""
        named = Space.objects.filter(pk=self.space).values_list("snapshot_id", flat=True).first()
        index, snapshot, problem = snapshots.newest_index(self.space)
        method = get_method(self.space)
        return View(
            index=index,
            index_keys=index.keys(),
            tail=BruteIndex(method.metric, method.dimension),
            hidden=np.empty(0, np.int64),
            sequence=snapshot.sequence if snapshot else 0,
            snapshot_id=named,
            problem=f"{problem} Searched without it." if problem else "",
        )

    def _load_beside(self) -> None:
        """Load a newer snapshot while the old one goes on answering."""
        if self._loading is None or not self._loading.is_alive():
            self._loading = threading.Thread(target=self._swap, name=f"load-{self.space}", daemon=True)
            self._loading.start()

    def _swap(self) -> None:
        try:
            fresh = self._load()
            head = Space.objects.get(pk=self.space).head
            fresh = _caught_up(self.space, fresh, head)
            with self._lock:
                self._view = fresh
        finally:
            connection.close()


def _caught_up(space: str, view: View, head: int) -> View:
    """The view with all changes up to ``head`` in its tail."""
    if head <= view.sequence:
        return view
    tail = view.tail.copy()
    changed: list[int] = []
    for chunk in snapshots.changes(space, view.sequence):
        snapshots.apply(tail, space, chunk)
        changed.extend(key for key, _ in chunk)
    outdated = np.intersect1d(np.array(changed, np.int64), view.index_keys)
    return replace(view, tail=tail, hidden=np.union1d(view.hidden, outdated), sequence=head)


@cache
def live(space: str) -> LiveSpace:
    """This process's holder of a space."""
    return LiveSpace(space)


def forget() -> None:
    """Drop what this process holds, as if it had just started."""
    live.cache_clear()
