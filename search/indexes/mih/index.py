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

EVERY = np.empty(0, np.int64)
RECENT = 4096
# To look one key up takes as long as to scan so many rows.
LOOKUP = 64


class MIHIndex(Index):
    """Hamming distance over ``64 * dimension`` bits; quickest for small radii in large collections.

    New rows are scanned until they are one in 32, then they are merged into the tables. Removed rows stay
    there, dead, until they are a third.
    """

    metrics: ClassVar[frozenset[str]] = frozenset({"hamming"})
    exact: ClassVar[bool] = True

    def __init__(self, metric: str, dimension: int) -> None:
        super().__init__(metric, dimension)
        self._recent = recent(EVERY, np.empty((0, dimension), np.uint64))
        self._hold(without_rows(cut(0, dimension), dimension))

    def add(self, keys: Keys, features: Features) -> None:
        keys, features = last_of_each(keys, checked_rows(self.metric, self.dimension, features))
        if not len(keys):
            return
        self.remove(keys)
        order = np.argsort(keys)
        places = np.searchsorted(self._recent.keys, keys[order])
        self._recent = recent(
            np.insert(self._recent.keys, places, keys[order]),
            np.insert(self._recent.rows, places, features[order], axis=0),
        )
        if len(self._recent.keys) > max(RECENT, len(self._tables.keys) // 32):
            self._merge()

    def remove(self, keys: Keys) -> None:
        keys = np.unique(np.asarray(keys, np.int64))
        held = self._order[found_at(self._sorted, keys)]
        self._alive -= int(np.count_nonzero(self._tables.dead[held] == 0))
        self._tables.dead[held] = 1
        places = found_at(self._recent.keys, keys)
        if len(places):
            kept = np.ones(len(self._recent.keys), np.bool_)
            kept[places] = False
            self._recent = recent(self._recent.keys[kept], self._recent.rows[kept])
        if 3 * self._alive < 2 * len(self._tables.keys):
            self._merge()

    def search(self, feature: Features, k: int, allowed: Keys | None = None) -> Matches:
        query = checked_query(self.metric, self.dimension, feature)
        few = EVERY if allowed is None else np.ascontiguousarray(allowed, np.int64)
        k = min(k, len(self) if allowed is None else len(few), len(self))
        if k <= 0:
            return Matches.none()
        if 0 < len(few) * LOOKUP < len(self):
            keys, rows = self._those(few)
            return Matches.ranked(keys, METRICS[self.metric].distances(query, rows), k)
        return Matches(*nearest(*self._tables, *self._recent, query, k, few))

    def within(self, feature: Features, radius: float) -> Matches:
        query = checked_query(self.metric, self.dimension, feature)
        if not radius >= 0:
            return Matches.none()
        most = int(min(radius, 64 * self.dimension))
        return Matches(*within(*self._tables, *self._recent, query, most, EVERY))

    def keys(self) -> Keys:
        return np.sort(np.concatenate((self._tables.keys[self._tables.dead == 0], self._recent.keys)))

    def save(self, folder: Path) -> None:
        arrays = {"new_keys": self._recent.keys, "new_rows": self._recent.rows}
        save_arrays(folder, self._tables._asdict() | arrays)

    @classmethod
    def load(cls, folder: Path, metric: str, dimension: int) -> Self:
        *parts, new_keys, new_rows = load_arrays(folder, (*Tables._fields, "new_keys", "new_rows"))
        tables, index = Tables(*parts), cls(metric, dimension)
        if not fits(tables, dimension) or new_rows.shape != (len(new_keys), dimension):
            raise SnapshotDamaged("index_format")
        index._hold(tables)
        index._recent = recent(new_keys, new_rows)
        return index

    def __len__(self) -> int:
        return self._alive + len(self._recent.keys)

    def _hold(self, tables: Tables) -> None:
        """Take up tables, with no rows beside them."""
        self._tables = tables
        alive = np.flatnonzero(tables.dead == 0)
        # A stable sort is quick where keys came in order.
        self._order = alive[np.argsort(tables.keys[alive], kind="stable")].astype(np.int32)
        self._sorted = tables.keys[self._order]
        self._alive = len(alive)
        self._recent = recent(EVERY, np.empty((0, self.dimension), np.uint64))

    def _merge(self) -> None:
        """Bring all rows into the tables; these are made anew where many died or another cut fits better."""
        tables, new = self._tables, self._recent
        parts = cut(len(self), self.dimension)
        if 3 * self._alive < 2 * len(tables.keys) or not np.array_equal(parts, tables.parts):
            alive = tables.dead == 0
            new = recent(np.concatenate((tables.keys[alive], new.keys)), np.concatenate((tables.rows[alive], new.rows)))
            tables = without_rows(parts, self.dimension)
        self._hold(with_rows(tables, new.keys, new.rows))

    def _those(self, few: Keys) -> tuple[Keys, Features]:
        """What is here of some keys."""
        held, places = self._order[found_at(self._sorted, few)], found_at(self._recent.keys, few)
        held = held[self._tables.dead[held] == 0]
        keys = np.concatenate((self._tables.keys[held], self._recent.keys[places]))
        return keys, np.concatenate((self._tables.rows[held], self._recent.rows[places]))


def recent(keys: Keys, rows: Features) -> Rows:
    """Rows of which none is dead."""
    return Rows(np.ascontiguousarray(keys), np.ascontiguousarray(rows, np.uint64), np.zeros(len(keys), np.uint8))


def found_at(ascending: Keys, keys: Keys) -> NDArray[np.int64]:
    """Where in an ascending array those of the keys are that are there."""
    places = np.searchsorted(ascending, keys)
    # A key beyond the last is compared with the first, which it is not.
    places[places == len(ascending)] = 0
    return places[ascending[places] == keys] if len(ascending) else places[:0]


def fits(tables: Tables, dimension: int) -> bool:
    """Whether arrays have the layout of tables for this dimension and lengths that go with each other."""
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
        and len(tables.beside) == len(parts) * count + SPARE
        and len(tables.starts) == parts[-1, BASE] + (1 << int(parts[-1, WIDTH])) + 1
    )
