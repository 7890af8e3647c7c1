"""An approximate graph index, HNSW (Malkov and Yashunin 2018), kept by hnswlib."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

import hnswlib
import numpy as np

from search.exceptions import SnapshotDamaged
from search.indexes.arrays import load_arrays, save_arrays
from search.indexes.base import Index
from search.indexes.brute import BruteIndex
from search.indexes.metrics import checked_query, checked_rows, last_of_each
from search.types import Features, Keys, Matches

LINKS = 16
BUILD_WIDTH = 200
SEARCH_WIDTH = 200
SEED = 20180330
SCAN_BELOW = 2000
FORMAT = 1
GRAPH = "graph.bin"


class HNSWIndex(Index):
    """Euclidean distance; the graph's labels are slots, which removed rows leave to new ones.

    A small index is scanned, and so is any where the graph cannot give enough rows, so that there are
    never fewer than asked for. A graph with more dead rows than live ones is built anew.
    """

    metrics: ClassVar[frozenset[str]] = frozenset({"euclidean"})
    exact: ClassVar[bool] = False

    def __init__(self, metric: str, dimension: int) -> None:
        super().__init__(metric, dimension)
        self._scan: BruteIndex | None = None
        self._clear(SCAN_BELOW)

    def add(self, keys: Keys, features: Features) -> None:
        keys, features = last_of_each(keys, checked_rows(self.metric, self.dimension, features))
        if not len(keys):
            return
        self._scan = None
        slots = np.fromiter((self._slot(key) for key in keys.tolist()), np.int64, len(keys))
        self._make_room()
        self._owners[slots] = keys
        # hnswlib brings a dead label back to life when it is added again.
        self._graph.add_items(features, slots)

    def remove(self, keys: Keys) -> None:
        self._scan = None
        for key in np.asarray(keys).tolist():
            slot = self._slots.pop(key, None)
            if slot is not None:
                self._graph.mark_deleted(slot)
                self._free.append(slot)
        if len(self._free) > max(len(self), SCAN_BELOW):
            self._rebuild()

    def search(self, feature: Features, k: int) -> Matches:
        query = checked_query(self.metric, self.dimension, feature)
        if min(k, len(self)) <= 0:
            return Matches.none()
        # The last of the rows that a graph finds are the doubtful ones.
        width = max(SEARCH_WIDTH, 2 * k)
        if len(self) <= SCAN_BELOW or 4 * width > len(self):
            return self._exact().search(query, k)
        found = self._ask(query, k if width == SEARCH_WIDTH else width)
        return Matches(found.keys[:k], found.distances[:k])

    def within(self, feature: Features, radius: float) -> Matches:
        query = checked_query(self.metric, self.dimension, feature)
        k = SEARCH_WIDTH
        while len(self) > SCAN_BELOW and 4 * k <= len(self):
            found = self._ask(query, k)
            if found.distances[-1] > radius:
                inside = found.distances <= radius
                return Matches(found.keys[inside], found.distances[inside])
            k *= 2
        return self._exact().within(query, radius)

    def keys(self) -> Keys:
        return np.sort(np.fromiter(self._slots, np.int64, len(self._slots)))

    def save(self, folder: Path) -> None:
        graph = folder / GRAPH
        self._graph.save_index(str(graph))
        head = np.array([FORMAT, self.dimension, LINKS, graph.stat().st_size], np.int64)
        free = np.array(self._free, np.int64)
        save_arrays(folder, {"owners": self._owners[: self._used], "free": free, "head": head})

    @classmethod
    def load(cls, folder: Path, metric: str, dimension: int) -> Self:
        owners, free, head = load_arrays(folder, ("owners", "free", "head"))
        size = (folder / GRAPH).stat().st_size if (folder / GRAPH).is_file() else 0
        if head.tolist() != [FORMAT, dimension, LINKS, size]:
            raise SnapshotDamaged("The saved graph has another format or dimension; build the index again.")
        index = cls(metric, dimension)
        index._graph = read_graph(folder / GRAPH, dimension, len(owners))
        index._owners, index._used, index._free = owners, len(owners), free.tolist()
        dead = set(index._free)
        index._slots = {key: slot for slot, key in enumerate(owners.tolist()) if slot not in dead}
        if index._graph.get_current_count() != len(owners) or len(index._slots) + len(free) != len(owners):
            raise SnapshotDamaged("The saved graph does not fit its keys; build the index again.")
        return index

    def __len__(self) -> int:
        return len(self._slots)

    def _clear(self, room: int) -> None:
        self._slots: dict[int, int] = {}
        self._free: list[int] = []
        self._owners: Keys = np.empty(room, np.int64)
        self._used = 0
        self._scan = None
        self._graph = hnswlib.Index(space="l2", dim=self.dimension)
        self._graph.init_index(room, M=LINKS, ef_construction=BUILD_WIDTH, random_seed=SEED)
        self._graph.set_ef(SEARCH_WIDTH)

    def _slot(self, key: int) -> int:
        """The slot of a key; a new key takes a dead row's or the next."""
        if key not in self._slots:
            if self._free:
                self._slots[key] = self._free.pop()
            else:
                self._slots[key] = self._used
                self._used += 1
        return self._slots[key]

    def _make_room(self) -> None:
        room = max(self._used, 2 * len(self._owners))
        if self._used > len(self._owners):
            self._owners = np.concatenate((self._owners, np.empty(room - len(self._owners), np.int64)))
        if self._used > self._graph.get_max_elements():
            self._graph.resize_index(room)

    def _rebuild(self) -> None:
        keys, rows = self._live()
        self._clear(max(len(keys), SCAN_BELOW))
        self.add(keys, rows)

    def _live(self) -> tuple[Keys, Features]:
        keys = np.fromiter(self._slots, np.int64, len(self._slots))
        slots = np.fromiter(self._slots.values(), np.int64, len(self._slots))
        rows = self._graph.get_items(slots, return_type="numpy") if len(slots) else []
        return keys, np.asarray(rows, np.float32).reshape(-1, self.dimension)

    def _exact(self) -> BruteIndex:
        """All rows for a scan; kept until the next change if they are few."""
        scan = self._scan
        if scan is None:
            scan = BruteIndex(self.metric, self.dimension)
            scan.add(*self._live())
            if len(self) <= SCAN_BELOW:
                self._scan = scan
        return scan

    def _ask(self, query: Features, k: int) -> Matches:
        """The k nearest by the graph, or by a scan where it does not reach so many."""
        try:
            labels, squares = self._graph.knn_query(query, k=k, num_threads=1)
        except RuntimeError:
            return self._exact().search(query, k)
        return Matches.ranked(self._owners[labels[0]], np.sqrt(squares[0].astype(np.float64)))


def read_graph(path: Path, dimension: int, count: int) -> hnswlib.Index:
    """The saved graph. Raises ``SnapshotDamaged``; damage within the file is for a checksum to find."""
    # hnswlib frees an initialised graph twice when it cannot load over it.
    graph = hnswlib.Index(space="l2", dim=dimension)
    try:
        graph.load_index(str(path), max_elements=max(count, SCAN_BELOW))
    except (RuntimeError, MemoryError) as error:
        raise SnapshotDamaged(f"The graph cannot be read, build the index again: {error}") from error
    # The width of a search is not in the file.
    graph.set_ef(SEARCH_WIDTH)
    return graph
