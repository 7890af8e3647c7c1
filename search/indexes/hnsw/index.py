"""An approximate graph index, HNSW (Malkov and Yashunin 2018), built and stored by hnswlib."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from search.exceptions import SnapshotDamaged
from search.indexes.base import Index
from search.indexes.hnsw.graph import LINKS, SEARCH_WIDTH, GrowingGraph, SavedGraph
from search.indexes.hnsw.search import is_permutation
from search.indexes.metrics import checked_query, checked_rows, last_of_each
from search.kernels.arrays import load_arrays, save_arrays
from search.types import Features, Keys, Matches

SCAN_BELOW = 2000
SCAN_ALLOWED = 60_000  # rows, in some 6 ms; the recall of a graph is lower among allowed rows than among all
SCAN_STEPS = 10  # rows that are scanned in the time that a search of the graph needs to be wider by one
ROOM = 2000
FORMAT = 1
GRAPH = "graph.bin"


class HNSWIndex(Index):
    """Euclidean distance. The graph's labels are slots; a new row takes the slot of a removed one.

    A small index is scanned, and so are few allowed rows, and any index whose graph does not reach enough rows, so that
    there are never fewer results than there should be. A graph with more dead rows than live ones is built anew.
    A loaded graph is searched as it was saved; before the first change hnswlib loads it.
    """

    metrics: ClassVar[frozenset[str]] = frozenset({"euclidean"})
    exact: ClassVar[bool] = False

    def __init__(self, metric: str, dimension: int) -> None:
        super().__init__(metric, dimension)
        self._slots: dict[int, int]
        self._free: list[int]
        self._owners: Keys
        self._graph: GrowingGraph | SavedGraph
        self._clear(ROOM)

    def add(self, keys: Keys, features: Features) -> None:
        keys, features = last_of_each(keys, checked_rows(self.metric, self.dimension, features))
        if not len(keys):
            return
        graph = self._thawed()
        slots = np.fromiter((self._slot(key) for key in keys.tolist()), np.int64, len(keys))
        graph.add(slots, features)
        more = np.empty(graph.room - len(self._owners), np.int64)
        self._owners = np.concatenate((self._owners, more)) if len(more) else self._owners
        self._owners[slots] = keys
        self._changed()

    def remove(self, keys: Keys) -> None:
        graph = self._thawed()
        for key in np.asarray(keys).tolist():
            slot = self._slots.pop(key, None)
            if slot is not None:
                graph.remove(slot)
                self._free.append(slot)
        self._changed()
        if len(self._free) > max(len(self), ROOM):
            keys, slots = self._directory()
            rows = graph.rows[slots]
            self._clear(len(keys))
            self.add(keys, rows)

    def search(self, feature: Features, k: int, allowed: Keys | None = None) -> Matches:
        query = checked_query(self.metric, self.dimension, feature)
        most = len(self) if allowed is None else min(len(self), len(allowed))
        if min(k, most) <= 0:
            return Matches.none()
        # What a graph misses is mostly among the last of the rows that it is asked for.
        width = k if 2 * k <= SEARCH_WIDTH else 2 * k
        if allowed is not None:
            width = max(4 * SEARCH_WIDTH, 4 * k * len(self) // most)
        while most > max(SCAN_BELOW if allowed is None else SCAN_ALLOWED, SCAN_STEPS * width):
            matches = self._ask(query, width, allowed)
            if len(matches) >= min(k, most):
                return Matches(matches.keys[:k], matches.distances[:k])
            width *= 4
        return self._scan(query, self._positions(allowed), k)

    def within(self, feature: Features, radius: float) -> Matches:
        query = checked_query(self.metric, self.dimension, feature)
        width = SEARCH_WIDTH
        while len(self) > max(SCAN_BELOW, SCAN_STEPS * width):
            matches = self._ask(query, width)
            if len(matches) >= width and matches.distances[-1] > radius:
                return matches.within(radius)
            width *= 2
        return self._scan(query, self._positions(None), len(self)).within(radius)

    def keys(self) -> Keys:
        return self._directory()[0].copy()

    def save(self, folder: Path) -> None:
        path = folder / GRAPH
        self._thawed().save(path)
        head = np.array([FORMAT, self.dimension, LINKS, path.stat().st_size], np.int64)
        used = len(self._slots) + len(self._free)
        save_arrays(folder, {"owners": self._owners[:used], "head": head})

    @classmethod
    def load(cls, folder: Path, metric: str, dimension: int) -> Self:
        owners, head = load_arrays(folder, ("owners", "head"))
        size = (folder / GRAPH).stat().st_size if (folder / GRAPH).is_file() else 0
        if head.tolist() != [FORMAT, dimension, LINKS, size]:
            raise SnapshotDamaged("index_format")
        graph = SavedGraph(folder / GRAPH, dimension)
        if len(owners) != len(graph.labels) or not is_permutation(graph.labels):
            raise SnapshotDamaged("index_format")
        index = cls(metric, dimension)
        index._graph, index._owners = graph, owners[graph.labels]
        live = np.flatnonzero(~graph.dead)
        index._size, index._sorted = len(live), ordered(index._owners[live], live)
        return index

    def __len__(self) -> int:
        return self._size

    def _clear(self, room: int) -> None:
        self._slots, self._free = {}, []
        self._owners = np.empty(room, np.int64)
        self._graph = GrowingGraph(self.dimension, room)
        self._changed()

    def _changed(self) -> None:
        self._size = len(self._slots)
        self._sorted: tuple[Keys, Keys] | None = None

    def _thawed(self) -> GrowingGraph:
        """The graph that can be changed; a loaded one is handed to hnswlib first."""
        saved = self._graph
        if isinstance(saved, GrowingGraph):
            return saved
        graph = GrowingGraph.thawed(saved)
        keys, positions = self._directory()
        self._slots = dict(zip(keys.tolist(), saved.labels[positions].tolist(), strict=True))
        self._free = saved.labels[saved.dead].tolist()
        owners = np.empty_like(self._owners)
        owners[saved.labels] = self._owners
        self._graph, self._owners = graph, owners
        self._changed()
        return graph

    def _slot(self, key: int) -> int:
        """The slot of a key; a new key takes a dead row's or the next."""
        if key not in self._slots:
            # Every slot below the next is either taken or free.
            self._slots[key] = self._free.pop() if self._free else len(self._slots)
        return self._slots[key]

    def _directory(self) -> tuple[Keys, Keys]:
        """All keys, ascending, and where in the graph each has its row."""
        if self._sorted is None:
            keys = np.fromiter(self._slots, np.int64, len(self._slots))
            self._sorted = ordered(keys, np.fromiter(self._slots.values(), np.int64, len(keys)))
        return self._sorted

    def _positions(self, allowed: Keys | None) -> Keys:
        """Where the allowed rows are, or all, in the order of their keys."""
        keys, positions = self._directory()
        if allowed is None:
            return positions
        at = np.minimum(np.searchsorted(keys, allowed), len(keys) - 1)
        present: Keys = positions[at[keys[at] == allowed]]
        return present

    def _ask(self, query: Features, width: int, allowed: Keys | None = None) -> Matches:
        """The allowed ones of the ``width`` nearest rows by the graph; none if it does not reach so many."""
        positions, squares = self._graph.nearest(query, width)
        keys = self._owners[positions]
        if allowed is not None:
            inside = allowed[np.minimum(np.searchsorted(allowed, keys), len(allowed) - 1)] == keys
            keys, squares = keys[inside], squares[inside]
        return Matches.ranked(keys, np.sqrt(squares.astype(np.float64)))

    def _scan(self, query: Features, positions: Keys, k: int) -> Matches:
        """The ``k`` nearest of the rows at these positions, exactly."""
        squares = self._graph.measure(query, positions)
        if 0 < k < len(squares):
            # All rows as near as the k-th take part, so that ties are decided by key.
            chosen = squares <= np.partition(squares, k - 1)[k - 1]
            positions, squares = positions[chosen], squares[chosen]
        return Matches.ranked(self._owners[positions], np.sqrt(squares.astype(np.float64)), k)


def ordered(keys: Keys, positions: Keys) -> tuple[Keys, Keys]:
    """Both in the order of the keys."""
    order = np.argsort(keys)
    return keys[order], positions[order]
