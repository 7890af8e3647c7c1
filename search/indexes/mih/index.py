"""Exact search among packed bits by multi-index hashing (Norouzi, Punjani and Fleet 2012)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from search.exceptions import SnapshotDamaged
from search.indexes.base import Index
from search.indexes.metrics import METRICS, checked_query, checked_rows, last_of_each
from search.indexes.mih.search import nearest, within
from search.indexes.mih.tables import BASE, SPARE, WIDTH, Rows, Tables, cut, with_rows, without_rows
from search.kernels.arrays import load_arrays, save_arrays
from search.types import Features, Keys, Matches

ALL_KEYS = np.empty(0, np.int64)
RECENT = 4096
# To look one key up takes as long as to scan so many rows.
LOOKUP = 64
# Names of the saved arrays, in the order of ``Tables``, and of the rows that are not in the tables yet.
FILES = ("keys", "rows", "dead", "parts", "starts", "ids", "beside")
NEW_FILES = ("new_keys", "new_rows")


class MIHIndex(Index):
    """Hamming distance over ``64 * dimension`` bits; quickest for small radii in large collections.

    New rows are scanned until they are one in 32, then they are merged into the tables. Removed rows stay
    there, dead, until they are a third.
    """

    metrics: ClassVar[frozenset[str]] = frozenset({"hamming"})
    exact: ClassVar[bool] = True

    def __init__(self, metric: str, dimension: int) -> None:
        super().__init__(metric, dimension)
        self._recent = recent(ALL_KEYS, np.empty((0, dimension), np.uint64))
        self._take_over(without_rows(cut(0, dimension), dimension))

    def add(self, keys: Keys, features: Features) -> None:
        keys, features = last_of_each(keys, checked_rows(self.metric, self.dimension, features))
        if not len(keys):
            return
        self.remove(keys)
        order = np.argsort(keys)
        positions = np.searchsorted(self._recent.keys, keys[order])
        self._recent = recent(
            np.insert(self._recent.keys, positions, keys[order]),
            np.insert(self._recent.rows, positions, features[order], axis=0),
        )
        if len(self._recent.keys) > max(RECENT, len(self._tables.keys) // 32):
            self._merge()

    def remove(self, keys: Keys) -> None:
        keys = np.unique(np.asarray(keys, np.int64))
        held = self._order[positions_of(self._sorted, keys)]
        self._alive -= int(np.count_nonzero(self._tables.dead[held] == 0))
        self._tables.dead[held] = 1
        positions = positions_of(self._recent.keys, keys)
        if len(positions):
            stays = np.ones(len(self._recent.keys), np.bool_)
            stays[positions] = False
            self._recent = recent(self._recent.keys[stays], self._recent.rows[stays])
        if 3 * self._alive < 2 * len(self._tables.keys):
            self._merge()

    def search(self, feature: Features, k: int, allowed: Keys | None = None) -> Matches:
        query = checked_query(self.metric, self.dimension, feature)
        few = ALL_KEYS if allowed is None else np.ascontiguousarray(allowed, np.int64)
        k = min(k, len(self) if allowed is None else len(few), len(self))
        if k <= 0:
            return Matches.none()
        if 0 < len(few) * LOOKUP < len(self):
            keys, rows = self._rows_of(few)
            return Matches.ranked(keys, METRICS[self.metric].distances(query, rows), k)
        return Matches(*nearest(*self._tables, *self._recent, query, k, few))

    def within(self, feature: Features, radius: float) -> Matches:
        query = checked_query(self.metric, self.dimension, feature)
        if not radius >= 0:
            return Matches.none()
        most = int(min(radius, 64 * self.dimension))
        return Matches(*within(*self._tables, *self._recent, query, most, ALL_KEYS))

    def keys(self) -> Keys:
        return np.sort(np.concatenate((self._tables.keys[self._tables.dead == 0], self._recent.keys)))

    def save(self, folder: Path) -> None:
        save_arrays(folder, dict(zip(FILES, self._tables, strict=True)))
        save_arrays(folder, dict(zip(NEW_FILES, (self._recent.keys, self._recent.rows), strict=True)))

    @classmethod
    def load(cls, folder: Path, metric: str, dimension: int) -> Self:
        *parts, new_keys, new_rows = load_arrays(folder, (*FILES, *NEW_FILES))
        tables, index = Tables(*parts), cls(metric, dimension)
        if not fits(tables, dimension) or new_rows.shape != (len(new_keys), dimension):
            raise SnapshotDamaged("index_format")
        index._take_over(tables)
        index._recent = recent(new_keys, new_rows)
        return index

    def __len__(self) -> int:
        return self._alive + len(self._recent.keys)

    def _take_over(self, tables: Tables) -> None:
        """Use these tables, with no rows outside of them."""
        self._tables = tables
        alive = np.flatnonzero(tables.dead == 0)
        # A stable sort is quick where keys came in order.
        self._order = alive[np.argsort(tables.keys[alive], kind="stable")].astype(np.int32)
        self._sorted = tables.keys[self._order]
        self._alive = len(alive)
        self._recent = recent(ALL_KEYS, np.empty((0, self.dimension), np.uint64))

    def _merge(self) -> None:
        """Merge all rows into the tables; these are built anew if many rows are dead or another cut fits better."""
        tables, new = self._tables, self._recent
        parts = cut(len(self), self.dimension)
        if 3 * self._alive < 2 * len(tables.keys) or not np.array_equal(parts, tables.parts):
            alive = tables.dead == 0
            new = recent(np.concatenate((tables.keys[alive], new.keys)), np.concatenate((tables.rows[alive], new.rows)))
            tables = without_rows(parts, self.dimension)
        self._take_over(with_rows(tables, new.keys, new.rows))

    def _rows_of(self, few: Keys) -> tuple[Keys, Features]:
        """The keys that are in the index, and their rows."""
        held, positions = self._order[positions_of(self._sorted, few)], positions_of(self._recent.keys, few)
        held = held[self._tables.dead[held] == 0]
        keys = np.concatenate((self._tables.keys[held], self._recent.keys[positions]))
        return keys, np.concatenate((self._tables.rows[held], self._recent.rows[positions]))


def recent(keys: Keys, rows: Features) -> Rows:
    """Rows of which none is dead."""
    return Rows(np.ascontiguousarray(keys), np.ascontiguousarray(rows, np.uint64), np.zeros(len(keys), np.uint8))


def positions_of(ascending: Keys, keys: Keys) -> NDArray[np.int64]:
    """Where in an ascending array those of the keys are that are there."""
    positions = np.searchsorted(ascending, keys)
    # A key beyond the last is compared with the first key, which is another.
    positions[positions == len(ascending)] = 0
    return positions[ascending[positions] == keys] if len(ascending) else positions[:0]


def fits(tables: Tables, dimension: int) -> bool:
    """Whether arrays have the layout of tables for this dimension, and lengths that belong together."""
    model = without_rows(cut(0, dimension), dimension)
    pairs: Iterable[tuple[NDArray[Any], NDArray[Any]]] = zip(tables, model, strict=True)
    for array, like in pairs:
        if array.dtype != like.dtype or array.ndim != like.ndim or not array.flags.c_contiguous:
            return False
    count, parts = len(tables.keys), tables.parts
    return (
        parts.shape[1:] == (3,)
        and parts[:, WIDTH].sum() == 64 * dimension
        and tables.rows.shape == (count, dimension)
        and tables.dead.shape == (count,)
        and tables.ids.shape == (len(parts), count)
        and len(tables.next_parts) == len(parts) * count + SPARE
        and len(tables.starts) == parts[-1, BASE] + (1 << int(parts[-1, WIDTH])) + 1
    )
