"""Ways to compare pictures: the spaces of the site, and the histogram comparisons they could have used instead."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from benchmarks.histograms import chi_square, l1
from search.exceptions import SpaceUnavailable
from search.indexes import index_class
from search.indexes.base import Index, TrainedIndex
from search.indexes.metrics import METRICS
from search.methods import METHODS, get_method
from search.methods.color import POWER, histogram
from search.types import Pixels

DEPTH = 100  # candidates of a space that looks at some again
SAMPLE = 2_000  # rows that an index learns from

Floats = NDArray[np.floating[Any]]
Distances = Callable[[Floats, Floats], Floats]


class Contender(ABC):
    """A way to compare pictures; ``distances`` has shape ``(queries, gallery)``."""

    name: str
    bytes_each: int

    @abstractmethod
    def extract(self, pixels: Pixels) -> bytes: ...

    @abstractmethod
    def distances(self, queries: Sequence[bytes], gallery: Sequence[bytes]) -> Floats: ...


class Space(Contender):
    """A space of the site, asked as the engine asks it: the smallest distance of all query forms."""

    def __init__(self, space: str) -> None:
        self.method, self.space = get_method(space), space
        self.name = f"**{space}**"
        self.bytes_each = len(self.extract(np.random.default_rng(0).integers(0, 256, (500, 500, 3), np.uint8)))

    def extract(self, pixels: Pixels) -> bytes:
        return self.method.extract(pixels)

    def distances(self, queries: Sequence[bytes], gallery: Sequence[bytes]) -> Floats:
        rows = self.method.rows(gallery)
        metric = METRICS[self.method.metric]
        forms = (self.method.queries(query) for query in queries)
        return np.array([np.min([metric.distances(form, rows) for form in each], axis=0) for each in forms])


class Verifying(Space):
    """A space whose index gives candidates that its method looks at again; what is neither is at distance 1."""

    def __init__(self, space: str) -> None:
        super().__init__(space)
        self.of: Sequence[bytes] = ()
        self.index: Index = self.empty()

    def empty(self) -> Index:
        return index_class(self.method.index)(self.method.metric, self.method.dimension)

    def distances(self, queries: Sequence[bytes], gallery: Sequence[bytes]) -> Floats:
        if self.of is not gallery:
            self.of, self.index = gallery, self.empty()
            rows = self.method.rows(gallery)
            if isinstance(self.index, TrainedIndex) and self.index.outgrown(len(rows)):
                self.index.train(rows[:: -(-len(rows) // SAMPLE)])
            self.index.add(np.arange(len(rows)), rows)
        return np.array([self.seen(query, gallery) for query in queries])

    def seen(self, query: bytes, gallery: Sequence[bytes]) -> Floats:
        found, forms = np.ones(len(gallery)), np.zeros(len(gallery), int)
        with suppress(SpaceUnavailable):
            for form, row in enumerate(self.method.queries(query)):
                near = self.index.search(row, DEPTH)
                forms[near.keys[near.distances < found[near.keys]]] = form
                found[near.keys] = np.minimum(found[near.keys], near.distances)
        best = np.argsort(found, kind="stable")[: self.method.reranked]
        seen = self.method.verify(query, [gallery[key] for key in best.tolist()], forms[best].tolist())
        found[best] = [one.distance for one in seen]
        return found


class Histogram(Contender):
    """The plain 4,096-bin histogram, as float32 shares of the pixels, compared in one of the usual ways."""

    def __init__(
        self, name: str, prepare: Callable[[Floats], Floats], distances: Distances, numbers: int = 4096
    ) -> None:
        self.bytes_each = 4 * numbers
        self.name = name
        self.prepare = prepare
        self.compare = distances

    def extract(self, pixels: Pixels) -> bytes:
        counts = histogram(pixels)
        shares: Floats = (counts / counts.sum()).astype(np.float32)
        return shares.tobytes()

    def distances(self, queries: Sequence[bytes], gallery: Sequence[bytes]) -> Floats:
        return self.compare(self.prepare(_shares(queries)), self.prepare(_shares(gallery)))


def _shares(stored: Sequence[bytes]) -> Floats:
    return np.frombuffer(b"".join(stored), np.float32).reshape(len(stored), -1)


def squared_euclidean(queries: Floats, gallery: Floats) -> Floats:
    squares: Floats = np.square(queries).sum(axis=1)[:, None] + np.square(gallery).sum(axis=1)
    products: Floats = queries @ gallery.T
    return squares - 2 * products


def tempered(shares: Floats) -> Floats:
    powers: Floats = shares**POWER
    unit: Floats = powers / np.linalg.norm(powers, axis=1, keepdims=True)
    return unit


def low_frequencies(shares: Floats) -> Floats:
    """256 lowest coefficients of the orthonormal 3-D DCT of the square roots."""
    cubes = np.sqrt(shares).reshape(-1, 16, 16, 16)
    spectrum = scipy.fft.dctn(cubes, axes=(1, 2, 3), norm="ortho").reshape(len(shares), -1)
    order = np.argsort(np.indices((16, 16, 16)).sum(axis=0).ravel(), kind="stable")
    lowest: Floats = spectrum[:, order[:256]]
    return lowest


def spaces() -> list[Space]:
    """The spaces that can answer here; those that lack a model are left out, with a word."""
    found = []
    for space in METHODS:
        try:
            found.append((Verifying if get_method(space).reranked else Space)(space))
        except SpaceUnavailable as error:
            print(f"Without {space}: {error}")
    return found


def peers() -> list[Contender]:
    """Histogram comparisons."""
    return [
        Histogram("4,096 bins, L1 (= intersection)", np.asarray, l1),
        Histogram("4,096 bins, chi-square", np.asarray, chi_square),
        Histogram("4,096 bins, L2", np.asarray, squared_euclidean),
        Histogram("4,096 bins, Hellinger", np.sqrt, squared_euclidean),
        Histogram(f"4,096 bins, power {POWER}, L2", tempered, squared_euclidean),
        Histogram("Hellinger, lowest 256 of 3-D DCT", low_frequencies, squared_euclidean, numbers=256),
    ]
