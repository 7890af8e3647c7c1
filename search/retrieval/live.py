"""What a process holds to answer queries: per space the newest snapshot, and a tail of what came after it.

One cheap query tells whether anything changed. A view is never altered once searches can see it: a change makes
a new view, so searches need no lock and a picture is found by every process as soon as it is committed.
"""

from __future__ import annotations

import logging
import threading
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from search.exceptions import SpaceUnavailable, message_of
from search.features import versions
from search.features.changelog import apply, changes, follows
from search.indexes import new_tail
from search.indexes.base import Index
from search.methods.base import Method
from search.models import Moment, Space
from search.snapshots import build
from search.snapshots.retention import drop_here
from search.snapshots.shared import is_shared
from search.types import Features, Keys, Matches, Message

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class View:
    """A version of a space as of ``moment``. ``hidden``: keys of the index whose row there is outdated, sorted.

    A shared index may be ahead of its snapshot: hidden is all that has changed since, and ``index_keys`` is empty.
    """

    method: Method
    index: Index
    index_keys: Keys
    tail: Index
    hidden: Keys
    moment: Moment
    snapshot_id: int | None
    problem: Message | None = None

    def search(self, feature: Features, k: int, allowed: Keys | None = None) -> Matches:
        """The ``k`` nearest, or all if there are fewer, of the allowed; exact as far as the snapshot's index is."""
        tail = self.tail.search(feature, k, allowed)
        return self._merged(self._from_index(feature, k, allowed), tail, k)

    def within(self, feature: Features, radius: float) -> Matches:
        """All at distance <= ``radius``."""
        return self._merged(self._shown(self.index.within(feature, radius)), self.tail.within(feature, radius))

    def keys(self) -> Keys:
        """Keys of all that can be found, ascending."""
        keys = self.index.keys() if is_shared(self.index) else self.index_keys
        return np.union1d(keys[~present(keys, self.hidden)], self.tail.keys())

    def _from_index(self, feature: Features, k: int, allowed: Keys | None) -> Matches:
        """Ask for a little more than ``k``, and for more again where hidden rows took the places."""
        ask = k + min(len(self.hidden), 16)
        while True:
            found = self.index.search(feature, ask, allowed)
            shown = self._shown(found)
            if len(shown) >= k or len(found) < ask:
                return shown
            ask *= 2

    def _shown(self, matches: Matches) -> Matches:
        if not len(self.hidden):
            return matches
        keep = ~present(matches.keys, self.hidden)
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

    def view(self, row: Space | None = None) -> View:
        """The space as of now: everything committed before this call is in it. Raises SpaceUnavailable.

        Who has just read the row of the space hands it over. When another version or snapshot is to answer, it is
        loaded beside, and the old one goes on until then.
        """
        view, row = self._view, row or versions.row_of(self.space)
        if view and view.moment == row.moment and _is_of(view, row):
            return view
        with self._lock:
            row = versions.row_of(self.space)  # what another thread has just brought in must not look like the future
            if self._view is None or not follows(self.space, row.moment, self._view.moment):
                self._view = self._load()  # the first time, or a backup of the database was put back
            elif not _is_of(self._view, row):
                self._load_beside()
            self._view = _caught_up(self.space, self._view, row.moment)
            return self._view

    def _load(self) -> View:
        """A view of the newest usable snapshot with an empty tail."""
        row = versions.row_of(self.space)
        method = versions.serving(row)
        index, snapshot, problem = build.newest_index(self.space, method)
        return View(
            method=method,
            index=index,
            index_keys=np.empty(0, np.int64) if is_shared(index) else index.keys(),
            tail=new_tail(index),
            hidden=np.empty(0, np.int64),
            moment=snapshot.moment if snapshot else Moment(),
            snapshot_id=row.snapshot_id,
            problem=message_of("searched_without", problem=problem) if problem else None,
        )

    def _load_beside(self) -> None:
        """Load a newer snapshot while the old one goes on answering."""
        if self._loading is None or not self._loading.is_alive():
            self._loading = threading.Thread(target=self._swap, name=f"load-{self.space}", daemon=True)
            self._loading.start()

    def _swap(self) -> None:
        try:
            fresh = self._load()
            fresh = _caught_up(self.space, fresh, versions.row_of(self.space).moment)
            with self._lock:
                self._view = fresh
            drop_here(self.space)
        except SpaceUnavailable as error:
            log.warning("Space %s cannot be loaded: %s", self.space, error)
        finally:
            connection.close()


def _is_of(view: View, row: Space) -> bool:
    """Whether the view is of the snapshot and the version that are to answer."""
    return view.snapshot_id == row.snapshot_id and view.method.version == versions.serving(row).version


def _caught_up(space: str, view: View, now: Moment) -> View:
    """The view with all changes up to ``now`` in its tail."""
    if now == view.moment:
        return view
    tail = deepcopy(view.tail)
    changed: list[int] = []
    for chunk in changes(space, view.method.version, view.moment.sequence):
        apply(tail, space, view.method, chunk)
        changed.extend(key for key, _ in chunk)
    keys = np.array(changed, np.int64)
    outdated = np.union1d(view.hidden, keys if is_shared(view.index) else keys[present(keys, view.index_keys)])
    return replace(view, tail=tail, hidden=outdated, moment=now)


def present(keys: Keys, among: Keys) -> NDArray[np.bool_]:
    """Which of the keys are ``among`` sorted ones; does not look at all of those."""
    if not len(among):
        return np.zeros(len(keys), np.bool_)
    found: NDArray[np.bool_] = among[np.minimum(np.searchsorted(among, keys), len(among) - 1)] == keys
    return found


@cache
def live(space: str) -> LiveSpace:
    """This process's holder of a space."""
    return LiveSpace(space)


def forget() -> None:
    """Drop what this process holds, as if it had just started."""
    live.cache_clear()
