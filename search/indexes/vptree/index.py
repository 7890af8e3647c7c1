"""An exact vantage-point tree over packed bits that can add and remove (Yianilos 1993, Uhlmann 1991)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from search.exceptions import SnapshotDamaged
from search.indexes.base import Index
from search.indexes.metrics import checked_query, checked_rows, last_of_each
from search.indexes.vptree.layout import BLOCK, BLOCKS, COUNT, FORMAT, MADE_AS, NODES, ROWS, Tree
from search.indexes.vptree.search import nearest, nearest_of, within
from search.indexes.vptree.upkeep import add_rows, clear, remove_rows
from search.kernels.arrays import load_arrays, save_arrays
from search.types import Features, Keys, Matches

EVERY = np.empty(0, np.int64)
# To look one key up takes as long as to scan so many rows.
LOOKUP = 32


class VPTreeIndex(Index):
    """Hamming distance over ``64 * dimension`` bits.

    A removed row is gone at once. A part of the tree is built anew when it lost a third of its rows, or
    half of them changed and one side has over three quarters: work that adds up to O(log n) per row.
    """

    metrics: ClassVar[frozenset[str]] = frozenset({"hamming"})
    exact: ClassVar[bool] = True

    def __init__(self, metric: str, dimension: int) -> None:
        super().__init__(metric, dimension)
        self._tree = empty_tree(dimension)

    def add(self, keys: Keys, features: Features) -> None:
        keys, features = last_of_each(keys, checked_rows(self.metric, self.dimension, features))
        self.remove(keys)
        if len(keys):
            self._tree = add_rows(self._tree, keys, features)

    def remove(self, keys: Keys) -> None:
        if len(self):
            self._tree = remove_rows(self._tree, np.ascontiguousarray(keys, np.int64))

    def search(self, feature: Features, k: int, allowed: Keys | None = None) -> Matches:
        query = checked_query(self.metric, self.dimension, feature)
        few = EVERY if allowed is None else np.ascontiguousarray(allowed, np.int64)
        k = min(k, len(self), len(self) if allowed is None else len(few))
        if k <= 0:
            return Matches.none()
        kernel = nearest_of if 0 < len(few) * LOOKUP < len(self) else nearest
        return Matches(*kernel(self._tree, query, k, few))

    def within(self, feature: Features, radius: float) -> Matches:
        query = checked_query(self.metric, self.dimension, feature)
        if not radius >= 0:
            return Matches.none()
        return Matches(*within(self._tree, query, int(min(radius, 64 * self.dimension))))

    def keys(self) -> Keys:
        used = self._tree.blocks[: self._tree.head[BLOCKS], COUNT, np.newaxis] > np.arange(BLOCK)
        return np.sort(self._tree.keys[: used.size][used.ravel()])

    def save(self, folder: Path) -> None:
        blocks, nodes = self._tree.head[BLOCKS], self._tree.head[NODES]
        lengths = (blocks, blocks * BLOCK, blocks, nodes, nodes, nodes, None, None)
        arrays: Sequence[NDArray[Any]] = self._tree
        parts = (array[:length] for array, length in zip(arrays, lengths, strict=True))
        save_arrays(folder, dict(zip(Tree._fields, parts, strict=True)))

    @classmethod
    def load(cls, folder: Path, metric: str, dimension: int) -> Self:
        tree = Tree(*load_arrays(folder, Tree._fields))
        index = cls(metric, dimension)
        if not fits(tree, index._tree):
            raise SnapshotDamaged("index_format")
        index._tree = tree
        return index

    def __len__(self) -> int:
        return int(self._tree.head[ROWS])


def empty_tree(dimension: int) -> Tree:
    """A tree without rows."""
    tree = Tree(
        words=np.empty((0, dimension, BLOCK), np.uint64),
        keys=np.empty(0, np.int64),
        blocks=np.empty((0, 3), np.int32),
        nodes=np.empty((1, 8), np.int32),
        vantage=np.zeros((1, dimension), np.uint64),
        upkeep=np.empty((1, 3), np.int32),
        table=np.empty(64, np.int32),
        head=np.empty(8, np.int64),
    )
    clear(tree)
    return tree


def fits(tree: Tree, model: Tree) -> bool:
    """Whether arrays have the layout of ``model`` and the lengths that their head tells."""
    pairs: Iterable[tuple[NDArray[Any], NDArray[Any]]] = zip(tree, model, strict=True)
    for array, like in pairs:
        if array.dtype != like.dtype or array.shape[1:] != like.shape[1:] or not array.flags.c_contiguous:
            return False
    if tree.head.shape != model.head.shape or tree.head[MADE_AS] != FORMAT:
        return False
    blocks, nodes, size = len(tree.blocks), len(tree.nodes), len(tree.table)
    return (
        (tree.head[BLOCKS], tree.head[NODES]) == (blocks, nodes)
        and (len(tree.words), len(tree.keys)) == (blocks, blocks * BLOCK)
        and len(tree.vantage) == len(tree.upkeep) == nodes > 0
        and size & (size - 1) == 0
        and 0 <= tree.head[ROWS] < size
    )
