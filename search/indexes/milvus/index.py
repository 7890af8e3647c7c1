"""An index that lives in Milvus, a distributed vector database: HNSW for floats, an exact scan for bits.

Each index has a collection, which all processes share: what one of them changes, all find. A saved index is only the
collection's name and the time stamp of its last write, which every search of a loaded index waits for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from search.exceptions import SnapshotDamaged, SpaceUnavailable
from search.indexes.base import SharedIndex
from search.indexes.metrics import checked_query, checked_rows, last_of_each
from search.indexes.milvus import rows
from search.indexes.milvus.rows import KINDS, MOST, Collection, among, between, new_name
from search.types import Features, Keys, Matches

FORMAT = 1
FILE = "milvus.json"
SPARE = 32  # answers more than are needed, to see where ties end
NAMED = 4_096  # allowed keys in one expression, at most
FEW = 16  # one row in so many is named in an expression: Milvus scans few rows exactly, and misses some of many
SETTLE = 10_000  # new rows that are worth a sealed segment with a graph of its own


class MilvusIndex(SharedIndex):
    """Distances of bits are exact; of more than 16,384 rows at the same distance, any may be answers.

    Everything raises SpaceUnavailable while Milvus does not answer, or when it has lost the collection.
    """

    metrics: ClassVar[frozenset[str]] = frozenset(KINDS)
    exact: ClassVar[bool] = False

    def __init__(self, metric: str, dimension: int) -> None:
        super().__init__(metric, dimension)
        self._collection: Collection | None = None  # made with the first row
        self._count: int | None = 0
        self._unsettled = 0

    def add(self, keys: Keys, features: Features) -> None:
        keys, features = last_of_each(keys, checked_rows(self.metric, self.dimension, features))
        if len(keys):
            self._count = None
            self._filled().put(keys, features)
            self._unsettled += len(keys)

    def remove(self, keys: Keys) -> None:
        keys = np.unique(np.asarray(keys, np.int64))
        if self._collection and len(keys):
            self._count = None
            self._collection.remove(keys)

    def search(self, feature: Features, k: int, allowed: Keys | None = None) -> Matches:
        query = checked_query(self.metric, self.dimension, feature)
        if self._collection is None or k <= 0:
            return Matches.none()
        if allowed is not None:
            return self._among(self._collection, query, k, np.asarray(allowed, np.int64))
        if k + SPARE > MOST:
            return first(self._page_by_page(self._collection, query), k)
        return nearest(self._collection, query, k)

    def within(self, feature: Features, radius: float) -> Matches:
        query = checked_query(self.metric, self.dimension, feature)
        if self._collection is None or not radius >= 0:
            return Matches.none()
        matches = self._collection.nearest(query, MOST, radius=radius)
        return matches if len(matches) < MOST else self._page_by_page(self._collection, query).within(radius)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = type(self)(self.metric, self.dimension)
        twin.owner = self.owner
        for keys in self._pages():
            for start in range(0, len(keys), 1_000):
                twin.add(*self._filled().rows(keys[start : start + 1_000]))
        return twin

    def keys(self) -> Keys:
        return np.concatenate([np.empty(0, np.int64), *self._pages()])

    def save(self, folder: Path) -> None:
        if self._unsettled >= SETTLE:
            self._filled().settle()
            self._unsettled = 0
        about = {"format": FORMAT, "metric": self.metric, "dimension": self.dimension, "count": len(self)}
        if self._collection:
            about |= {"collection": self._collection.name, "written": self._collection.written}
        (folder / FILE).write_text(json.dumps(about, indent=1))

    @classmethod
    def load(cls, folder: Path, metric: str, dimension: int) -> Self:
        about = read(folder)
        if (about.get("format"), about.get("metric"), about.get("dimension")) != (FORMAT, metric, dimension):
            raise SnapshotDamaged("index_format")
        index = cls(metric, dimension)
        index._count = about["count"]
        if name := about.get("collection"):
            index._collection = Collection(name, metric, dimension, about["written"])
            if not index._collection.exists():  # raises SpaceUnavailable if the server does not answer
                raise SnapshotDamaged("collection_gone", name=name)
        return index

    @classmethod
    def keep_only(cls, space: str, folders: Iterable[Path]) -> None:
        named = {read(folder).get("collection") for folder in folders if (folder / FILE).is_file()}
        for name in rows.names(space):
            if name not in named:
                rows.drop(name)

    def reach(self) -> None:
        if self._collection and not self._collection.exists():
            raise SpaceUnavailable("milvus_lost")

    def note(self, text: str) -> None:
        self._filled().note(text)

    def noted(self) -> str:
        return self._collection.noted() if self._collection else ""

    def __len__(self) -> int:
        if self._count is None:
            self._count = self._filled().count()
        return self._count

    def _filled(self) -> Collection:
        """The collection; a new one for the first row."""
        if self._collection is None:
            self._collection = new_collection(*self.owner, self.metric, self.dimension)
        return self._collection

    def _pages(self) -> Iterable[Keys]:
        return self._collection.pages() if self._collection else ()

    def _page_by_page(self, collection: Collection, query: Features) -> Matches:
        """All rows in order, a page at a time: Milvus does not give so many at once."""
        pages = [between(int(keys[0]), int(keys[-1])) for keys in self._pages()]
        return merged([collection.nearest(query, MOST, page) for page in pages])

    def _among(self, collection: Collection, query: Features, k: int, allowed: Keys) -> Matches:
        """The ``k`` nearest of the allowed keys.

        Few keys are named in an expression. Where many are allowed, the nearest of all rows are filtered.
        """
        step = min(NAMED, max(k, 256, len(self) // FEW))
        width = 4 * (k + SPARE) + 16 * k * len(self) // max(1, len(allowed))
        while len(allowed) > step and width <= MOST:
            matches = collection.nearest(query, width)
            inside = np.isin(matches.keys, allowed)
            chosen = Matches(matches.keys[inside], matches.distances[inside])
            if len(chosen) > k and chosen.distances[k - 1] < matches.distances[-1]:
                return first(chosen, k)
            width *= 4
        parts = [allowed[start : start + step] for start in range(0, len(allowed), step)]
        return first(merged([nearest(collection, query, k, part) for part in parts]), k)


def nearest(collection: Collection, query: Features, k: int, keys: Keys | None = None) -> Matches:
    """The ``k`` nearest, of these keys if they are given; ties by key."""
    expression, most = ("", MOST) if keys is None else (" or ".join(among(keys)), len(keys))
    count = min(k + SPARE, most)
    if count <= 0:
        return Matches.none()
    matches = collection.nearest(query, count, expression)
    if count < most and len(matches) == count and matches.distances[-1] == matches.distances[min(k, count) - 1]:
        # There may be more rows as near as the last one.
        tied = collection.nearest(query, most, expression, radius=float(matches.distances[-1]))
        matches = tied if len(tied) >= len(matches) else matches
    return first(matches, k)


def new_collection(space: str, version: str, metric: str, dimension: int) -> Collection:
    """Create an empty collection on the server."""
    name = new_name(space, version)
    rows.create(name, metric, dimension)
    return Collection(name, metric, dimension)


def merged(parts: list[Matches]) -> Matches:
    """The matches of several searches, nearest first."""
    keys = np.concatenate([np.empty(0, np.int64), *(part.keys for part in parts)])
    return Matches.ranked(keys, np.concatenate([np.empty(0), *(part.distances for part in parts)]))


def first(matches: Matches, k: int) -> Matches:
    """The first ``k`` matches."""
    return Matches(matches.keys[:k], matches.distances[:k])


def read(folder: Path) -> dict[str, Any]:
    """What ``save`` wrote. Raises SnapshotDamaged."""
    try:
        about = json.loads((folder / FILE).read_text())
    except (OSError, ValueError) as error:
        raise SnapshotDamaged("index_unreadable", detail=error) from error
    if not isinstance(about, dict):
        raise SnapshotDamaged("index_format")
    return about
