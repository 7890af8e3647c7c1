"""What a process holds to answer queries: per space the newest snapshot, and a tail of what came after it.

A view is never altered once searches can see it: a change makes a new view, so searches need no lock, and a picture is
found by every process as soon as it is committed.
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
from search.features.changelog import apply, changes, contains
from search.features.versions import SpaceState, state_of
from search.indexes import new_tail
from search.indexes.base import Index
from search.methods.base import Method
from search.models import Position
from search.snapshots.loading import newest_index
from search.snapshots.retention import drop_local
from search.snapshots.shared import is_shared
from search.types import Features, Keys, Matches, Message

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class View:
    """A version of a space as of ``position``. ``hidden``: sorted keys of the index whose row there is outdated.

    A shared index may be ahead of its snapshot: hidden is all that has changed since, and ``index_keys`` is empty.
    """

    method: Method
    index: Index
    index_keys: Keys
    tail: Index
    hidden: Keys
    position: Position
    snapshot_id: int | None
    problem: Message | None = None

    def search(self, feature: Features, k: int, allowed: Keys | None = None) -> Matches:
        """The ``k`` nearest, or all if there are fewer, of the allowed; exact as far as the snapshot's index is."""
        tail = self.tail.search(feature, k, allowed)
        return _merged(self._search_index(feature, k, allowed), tail, k)

    def within(self, feature: Features, radius: float) -> Matches:
        """All at distance <= ``radius``."""
        return _merged(self._without_hidden(self.index.within(feature, radius)), self.tail.within(feature, radius))

    def keys(self) -> Keys:
        """Keys of all that can be found, ascending."""
        keys = self.index.keys() if is_shared(self.index) else self.index_keys
        return np.union1d(keys[~present(keys, self.hidden)], self.tail.keys())

    def _search_index(self, feature: Features, k: int, allowed: Keys | None) -> Matches:
        """Ask for a little more than ``k``, and for more again where hidden rows took the places."""
        # With a few more than k, one search of the index is nearly always enough.
        ask = k + min(len(self.hidden), 16)
        while True:
            matches = self.index.search(feature, ask, allowed)
            valid = self._without_hidden(matches)
            if len(valid) >= k or len(matches) < ask:
                return valid
            ask *= 2

    def _without_hidden(self, matches: Matches) -> Matches:
        if not len(self.hidden):
            return matches
        valid = ~present(matches.keys, self.hidden)
        return Matches(matches.keys[valid], matches.distances[valid])


def _merged(index: Matches, tail: Matches, k: int | None = None) -> Matches:
    keys = np.concatenate([index.keys, tail.keys])
    return Matches.ranked(keys, np.concatenate([index.distances, tail.distances]), k)


class LiveSpace:
    """One space in this process."""

    def __init__(self, space: str) -> None:
        self.space = space
        self._view: View | None = None
        self._lock = threading.Lock()
        self._loading: threading.Thread | None = None

    def view(self, state: SpaceState) -> View:
        """The space as of this state: everything committed before it was read is in it. Raises SpaceUnavailable.

        When another version or snapshot is to answer, it is loaded by a thread, and the old one answers until then.
        """
        view = self._view  # read once: another thread may replace it
        if view and view.position == state.position and _serves(view, state):
            return view
        with self._lock:
            if self._view and not _precedes(self._view, state):
                # Another thread may have brought the view up to a later state, which is no reason to load it again.
                state = state_of(self.space)
            if self._view is None or not contains(self.space, state.position, self._view.position):
                self._view = _load(state)  # the first time, or a backup of the database was restored
            elif not _serves(self._view, state):
                self._start_loading()
            self._view = _caught_up(self._view, state)
            return self._view

    def _start_loading(self) -> None:
        """Load a newer snapshot while the old one goes on answering."""
        if self._loading is None or not self._loading.is_alive():
            # A daemon: a process that ends does not wait for an index that it will not search.
            self._loading = threading.Thread(target=self._replace, name=f"load-{self.space}", daemon=True)
            self._loading.start()

    def _replace(self) -> None:
        try:
            fresh = _load(state_of(self.space))
            fresh = _caught_up(fresh, state_of(self.space))  # loading may have taken minutes
            with self._lock:
                self._view = fresh
            drop_local(self.space)
        except SpaceUnavailable as error:
            log.warning("Space %s cannot be loaded: %s", self.space, error)
        finally:
            connection.close()  # each thread has its own, and this one ends


def _load(state: SpaceState) -> View:
    """A view of the newest usable snapshot with an empty tail. Raises SpaceUnavailable."""
    loaded = newest_index(state, state.serving)
    index, snapshot = loaded.index, loaded.snapshot
    return View(
        method=state.serving,
        index=index,
        index_keys=np.empty(0, np.int64) if is_shared(index) else index.keys(),
        tail=new_tail(index),
        hidden=np.empty(0, np.int64),
        position=snapshot.position if snapshot else Position(),
        snapshot_id=state.snapshot_id,
        problem=message_of("searched_without", problem=loaded.problem) if loaded.problem else None,
    )


def _serves(view: View, state: SpaceState) -> bool:
    """Whether the view is of the snapshot and the version that are to answer. Raises SpaceUnavailable."""
    return view.snapshot_id == state.snapshot_id and view.method.version == state.serving.version


def _precedes(view: View, state: SpaceState) -> bool:
    """Whether the changes of its tail are all that the view lacks of this state. Raises SpaceUnavailable."""
    return _serves(view, state) and view.position.sequence <= state.position.sequence


def _caught_up(view: View, state: SpaceState) -> View:
    """The view with all changes up to the state's position in its tail."""
    if view.position == state.position:
        return view
    tail = deepcopy(view.tail)  # searches of other threads may be reading the old one
    changed: list[int] = []
    for chunk in changes(state.name, view.method.version, view.position.sequence):
        apply(tail, state.name, view.method, chunk)
        changed.extend(key for key, _ in chunk)
    keys = np.array(changed, np.int64)
    outdated = np.union1d(view.hidden, keys if is_shared(view.index) else keys[present(keys, view.index_keys)])
    return replace(view, tail=tail, hidden=outdated, position=state.position)


def present(keys: Keys, among: Keys) -> NDArray[np.bool_]:
    """Which of the keys are ``among`` sorted ones, ``(len(keys),)``, by binary search."""
    if not len(among):
        return np.zeros(len(keys), np.bool_)
    matches: NDArray[np.bool_] = among[np.minimum(np.searchsorted(among, keys), len(among) - 1)] == keys
    return matches


@cache
def live(space: str) -> LiveSpace:
    """This process's holder of a space."""
    return LiveSpace(space)


def view_of(state: SpaceState) -> View:
    """This process's view of a space as of this state. Raises SpaceUnavailable."""
    return live(state.name).view(state)


def forget() -> None:
    """Drop what this process holds, as if it had just started."""
    live.cache_clear()
