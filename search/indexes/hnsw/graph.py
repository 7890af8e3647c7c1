"""The graph of HNSW in two states: one that hnswlib changes, and one that was saved, which many threads can search."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import hnswlib
import numpy as np
from numpy.typing import NDArray

from search.exceptions import SnapshotDamaged
from search.indexes.hnsw.search import DEAD, check_links, find_upper, measure, nearest
from search.types import Features, Keys

LINKS = 16
BUILD_WIDTH = 100
SEARCH_WIDTH = 200
SEED = 20180330
HEAD = 24  # words of the file before the rows
Squares = NDArray[np.float32]
Found = tuple[Keys, Squares]


class GrowingGraph:
    """hnswlib's graph, which can change, and a copy of the rows to scan. A position is hnswlib's label."""

    def __init__(self, dimension: int, room: int) -> None:
        self._rows = np.empty((room, dimension), np.float32)
        self._parts: list[tuple[Keys, Features]] = []
        self._graph = hnswlib.Index(space="l2", dim=dimension)
        self._graph.init_index(room, M=LINKS, ef_construction=BUILD_WIDTH, random_seed=SEED)
        self._graph.set_ef(SEARCH_WIDTH)

    @classmethod
    def thawed(cls, saved: SavedGraph) -> GrowingGraph:
        """The graph of a file, to be changed. Raises ``SnapshotDamaged``."""
        graph = cls.__new__(cls)
        count, dimension = saved.rows.shape
        graph._graph = hnswlib.Index(space="l2", dim=dimension)
        try:
            # hnswlib frees an initialised graph twice when it cannot load over it.
            graph._graph.load_index(str(saved.path), max_elements=max(count, 1))
        except (RuntimeError, MemoryError) as error:
            raise SnapshotDamaged("index_unreadable", detail=error) from error
        # The width of a search is not in the file.
        graph._graph.set_ef(SEARCH_WIDTH)
        graph._rows = np.empty((0, dimension), np.float32)
        graph._parts = [(saved.labels, saved.rows)]
        return graph

    @property
    def room(self) -> int:
        """How many positions there are, used or not."""
        return int(self._graph.max_elements)

    @property
    def rows(self) -> Features:
        """The rows at their positions, ``(room, dimension)``."""
        # A build that adds a few changes never reads the rows, and copying them takes as long as a thousand changes.
        if self._parts:
            rows = np.empty((self.room, self._rows.shape[1]), np.float32)
            for positions, part in self._parts:
                rows[positions] = part
            self._rows, self._parts = rows, []
        return self._rows

    def add(self, positions: Keys, rows: Features) -> None:
        """Add or replace rows; a removed position that is added again is live again."""
        if (room := int(positions.max()) + 1) > self.room:
            self._grow(max(room, 2 * self.room))
        if self._parts:
            self._parts.append((positions, rows.copy()))
        else:
            self._rows[positions] = rows
        self._graph.add_items(rows, positions)

    def _grow(self, room: int) -> None:
        if not self._parts:
            grown = np.empty((room, self._rows.shape[1]), np.float32)
            grown[: len(self._rows)] = self._rows
            self._rows = grown
        self._graph.resize_index(room)

    def remove(self, position: int) -> None:
        self._graph.mark_deleted(position)

    def save(self, path: Path) -> None:
        """Raises OSError if the disk is full, which hnswlib does not notice."""
        self._graph.save_index(str(path))
        if (size := path.stat().st_size) != self._graph.index_file_size():
            raise OSError(errno.ENOSPC, f"Only {size} bytes of the graph could be written", str(path))

    def nearest(self, query: Features, width: int) -> Found:
        """``width`` positions and squared distances, in no order; none if the graph does not reach so many."""
        try:
            positions, squares = self._graph.knn_query(query, k=width, num_threads=1)
        except RuntimeError:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        return positions[0].astype(np.int64), squares[0]

    def measure(self, query: Features, positions: Keys) -> Squares:
        """Squared distances to the rows at these positions."""
        squares = np.empty(len(positions), np.float32)
        measure(self.rows.reshape(-1), 0, self.rows.shape[1], positions, query, squares)
        return squares


class SavedGraph:
    """The graph of a file, read into memory without Python's lock, so that other threads go on meanwhile.

    A position is a row's number in the file. ``labels`` are hnswlib's, ``dead`` the removed rows.
    """

    def __init__(self, path: Path, dimension: int) -> None:
        """Raises ``SnapshotDamaged`` if a search could leave the file; for the rest there are checksums."""
        self.path = path
        try:
            self._words = np.fromfile(path, np.uint32)
        except OSError as error:
            raise SnapshotDamaged("index_unreadable", detail=error) from error
        count = self._understand(dimension)
        self._upper = np.empty(count + 1, np.int64)
        end = HEAD + count * self._stride
        fits = find_upper(self._words, end, LINKS + 1, self._upper)
        if not fits or not check_links(self._words, self._layout, 2 * LINKS, self._upper):
            raise SnapshotDamaged("index_format")
        block = self._words[HEAD:end].reshape(count, self._stride)
        self.rows: Features = block[:, self._row : self._row + dimension].view(np.float32)
        self.dead: NDArray[np.bool_] = (block[:, 0] & DEAD) != 0
        self.labels: Keys = block[:, -2].astype(np.int64) | block[:, -1].astype(np.int64) << 32

    def _understand(self, dimension: int) -> int:
        """Take the layout from hnswlib's header; returns the number of rows."""
        words = self._words[:HEAD]
        if len(words) < HEAD:
            raise SnapshotDamaged("index_format")
        count, size, at_label, at_row = words[:12].view(np.uint64)[2:6].tolist()
        levels, start = words[12:14].view(np.int32).tolist()
        links = words[14:20].view(np.uint64).tolist()
        # A row: a word with the number of its links, twice as many links as above, numbers, a label of two words.
        self._row = 1 + 2 * LINKS
        self._stride = self._row + dimension + 2
        made = (size, at_label, at_row, *links)
        right = (4 * self._stride, 4 * (self._stride - 2), 4 * self._row, LINKS, 2 * LINKS, LINKS)
        if made != right or HEAD + count * self._stride > len(self._words) or (count and not 0 <= start < count):
            raise SnapshotDamaged("index_format")
        self._layout = (HEAD, self._stride, self._row, start, levels)
        return int(count)

    def nearest(self, query: Features, width: int) -> Found:
        """About ``width`` positions and squared distances, in no order; fewer where the graph reaches no more."""
        width = max(width, SEARCH_WIDTH)
        positions, squares = np.empty(width, np.int64), np.empty(width, np.float32)
        size = nearest(self._words, self._floats, self._layout, self._upper, query, positions, squares)
        return positions[:size], -squares[:size]

    def measure(self, query: Features, positions: Keys) -> Squares:
        """Squared distances to the rows at these positions."""
        squares = np.empty(len(positions), np.float32)
        measure(self._floats, HEAD + self._row, self._stride, positions, query, squares)
        return squares

    @property
    def _floats(self) -> NDArray[Any]:
        return self._words.view(np.float32)
