"""An exact scan of all rows: the oracle of the others, and the tail of every process."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from search.exceptions import SnapshotDamaged
from search.indexes.base import Index
from search.indexes.metrics import METRICS, checked_query, checked_rows, last_of_each
from search.kernels.arrays import load_arrays, save_arrays
from search.types import Features, Keys, Matches


class BruteIndex(Index):
    """Rows lie without gaps at the start of arrays that double when they are full."""

    metrics: ClassVar[frozenset[str]] = frozenset({"hamming", "euclidean"})
    exact: ClassVar[bool] = True

    def __init__(self, metric: str, dimension: int) -> None:
        super().__init__(metric, dimension)
        self._keys: Keys = np.empty(0, np.int64)
        self._rows: Features = np.empty((0, dimension), METRICS[metric].dtype)
        self._slots: dict[int, int] = {}

    def add(self, keys: Keys, features: Features) -> None:
        keys, features = last_of_each(keys, checked_rows(self.metric, self.dimension, features))
        self._make_room(len(keys))
        # A dict's setdefault sees the length before the new key is in it.
        slots = [self._slots.setdefault(key, len(self._slots)) for key in keys.tolist()]
        self._keys[slots] = keys
        self._rows[slots] = features

    def remove(self, keys: Keys) -> None:
        for key in np.asarray(keys).tolist():
            slot = self._slots.pop(key, None)
            last = len(self._slots)
            if slot is not None and slot != last:
                self._keys[slot], self._rows[slot] = self._keys[last], self._rows[last]
                self._slots[int(self._keys[last])] = slot

    def search(self, feature: Features, k: int, allowed: Keys | None = None) -> Matches:
        query = checked_query(self.metric, self.dimension, feature)
        keys, rows = self._live() if allowed is None else self._rows_of(np.asarray(allowed, np.int64))
        k = min(k, len(keys))
        if k <= 0:
            return Matches.none()
        distances = METRICS[self.metric].distances(query, rows)
        # All rows as near as the k-th take part, so that ties are decided by key.
        chosen = distances <= np.partition(distances, k - 1)[k - 1]
        return Matches.ranked(keys[chosen], distances[chosen], k)

    def within(self, feature: Features, radius: float) -> Matches:
        query = checked_query(self.metric, self.dimension, feature)
        keys, rows = self._live()
        distances = METRICS[self.metric].distances(query, rows)
        chosen = distances <= radius
        return Matches.ranked(keys[chosen], distances[chosen])

    def keys(self) -> Keys:
        return np.sort(self._keys[: len(self)])

    def save(self, folder: Path) -> None:
        save_arrays(folder, {"keys": self._keys[: len(self)], "rows": self._rows[: len(self)]})

    @classmethod
    def load(cls, folder: Path, metric: str, dimension: int) -> Self:
        keys, rows = load_arrays(folder, ("keys", "rows"))
        index = cls(metric, dimension)
        fits = rows.shape == (len(keys), dimension) and rows.dtype == index._rows.dtype
        if not fits or keys.dtype != np.int64 or len(np.unique(keys)) != len(keys):
            raise SnapshotDamaged("index_format")
        index._keys, index._rows = keys, rows
        index._slots = {key: slot for slot, key in enumerate(keys.tolist())}
        return index

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # Copied with every change of a tail; item by item it takes five times as long.
        twin = type(self)(self.metric, self.dimension)
        twin._keys, twin._rows, twin._slots = self._keys.copy(), self._rows.copy(), self._slots.copy()
        return twin

    def __len__(self) -> int:
        return len(self._slots)

    def _make_room(self, more: int) -> None:
        needed = len(self) + more
        if needed > len(self._keys):
            size = max(needed, 2 * len(self._keys))
            keys, rows = self._keys, self._rows
            self._keys, self._rows = np.empty(size, np.int64), np.empty((size, self.dimension), rows.dtype)
            self._keys[: len(keys)], self._rows[: len(rows)] = keys, rows

    def _live(self) -> tuple[Keys, Features]:
        return self._keys[: len(self)], self._rows[: len(self)]

    def _rows_of(self, allowed: Keys) -> tuple[Keys, Features]:
        """The allowed keys that are in the index, and their rows."""
        keys, rows = self._live()
        if len(allowed) < len(keys) // 8:
            slots = np.array([self._slots[key] for key in allowed.tolist() if key in self._slots], np.int64)
        else:
            slots = np.flatnonzero(np.isin(keys, allowed))
        return keys[slots], rows[slots]
