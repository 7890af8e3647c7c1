"""Every index with every metric it knows, and the right answers in plain numpy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.indexes import INDEXES, index_class
from search.indexes.base import Index
from search.types import Features, Keys, Matches
from tests.support import keypoint_rows

VOTES = dict.fromkeys(("votes", "votes-orb"), keypoint_rows.DIMENSION)


DIMENSION = {"hamming": 4, "euclidean": 24} | VOTES


PAIRS = [(name, metric) for name in INDEXES for metric in sorted(index_class(name).metrics)]


# HNSW, Milvus' too, is exempt from exact answers where it does not scan: its paper promises a share of them, not all.
EXACT_PAIRS = [pair for pair in PAIRS if index_class(pair[0]).exact]


@dataclass(frozen=True)
class Kind:
    """One index class with one metric, and features to fill it with."""

    name: str
    metric: str

    @property
    def dimension(self) -> int:
        return DIMENSION[self.metric]

    def empty(self) -> Index:
        return index_class(self.name)(self.metric, self.dimension)

    def load(self, folder: Path) -> Index:
        return index_class(self.name).load(folder, self.metric, self.dimension)

    def features(self, count: int, seed: int = 0) -> Features:
        random = np.random.default_rng(seed)
        if self.metric == "hamming":
            return random.integers(0, 2**64, (count, self.dimension), dtype=np.uint64)
        if self.metric.startswith("votes"):
            return keypoint_rows.drawn(self.metric, count, random)
        return random.standard_normal((count, self.dimension)).astype(np.float32)

    def filled(self, count: int) -> tuple[Index, Keys, Features]:
        index, keys, features = self.empty(), np.arange(count) * 7 % count + 100, self.features(count)
        index.add(keys, features)
        return index, keys, features


def distances_by_hand(metric: str, query: NDArray[Any], rows: NDArray[Any]) -> list[float]:
    if metric == "hamming":
        bits = np.unpackbits((rows ^ query).view(np.uint8), axis=1)
        return [float(distance) for distance in bits.sum(axis=1)]
    if metric.startswith("votes"):
        return keypoint_rows.distances(metric, query, rows)
    return [float(np.linalg.norm(apart)) for apart in rows.astype(np.float64) - query.astype(np.float64)]


def expected(metric: str, query: Features, keys: Keys, rows: Features) -> list[tuple[float, int]]:
    return sorted(zip(distances_by_hand(metric, query, rows), keys.tolist(), strict=True))


def assert_same(matches: Matches, right: list[tuple[float, int]]) -> None:
    assert matches.keys.dtype == np.int64
    assert matches.distances.dtype == np.float64
    assert matches.keys.tolist() == [key for _, key in right]
    np.testing.assert_allclose(matches.distances, [distance for distance, _ in right], rtol=1e-5, atol=1e-6)
