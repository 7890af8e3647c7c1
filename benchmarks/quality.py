"""How well each space finds what it should, beside the histogram comparisons it could have used instead.

``python -m benchmarks.quality [data folder]`` prints two tables and writes benchmarks/results/quality.md.
The data folder holds manifest.csv (file, set, label) and the files it names. Everything is seeded.
"""

from __future__ import annotations

import csv
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from benchmarks.edits import EDITS
from benchmarks.histograms import chi_square, l1
from gallery.decoding import decode
from search.indexes.metrics import METRICS
from search.methods import METHODS, get_method
from search.methods.color import POWER, histogram
from search.types import Pixels

LABELLED = ("caltech", "corel", "ferrari")
SETS = (*LABELLED, "imagenet", "flickr8k")
EDITED = 150
REPORT = Path(__file__).parent / "results" / "quality.md"

Floats = NDArray[np.floating[Any]]
Distances = Callable[[Floats, Floats], Floats]


class Contender(ABC):
    """A way to compare pictures. ``extract`` is run once a picture, ``distances`` gives ``(queries, gallery)``."""

    name: str
    bytes_each: int

    @abstractmethod
    def extract(self, pixels: Pixels) -> bytes: ...

    @abstractmethod
    def distances(self, queries: Sequence[bytes], gallery: Sequence[bytes]) -> Floats: ...


class Space(Contender):
    """A space of the site, asked as the engine asks it: the smallest distance of all query forms."""

    def __init__(self, space: str) -> None:
        self.method = get_method(space)
        self.name = f"**{space}**"
        self.bytes_each = len(self.extract(np.zeros((1, 1, 3), np.uint8)))

    def extract(self, pixels: Pixels) -> bytes:
        return self.method.extract(pixels)

    def distances(self, queries: Sequence[bytes], gallery: Sequence[bytes]) -> Floats:
        rows = self.method.rows(gallery)
        metric = METRICS[self.method.metric]
        forms = (self.method.queries(query) for query in queries)
        return np.array([np.min([metric.distances(form, rows) for form in each], axis=0) for each in forms])


class Histogram(Contender):
    """The plain 4,096-bin histogram, as float32 shares of the pixels, compared in one of the usual ways."""

    bytes_each = 4 * 4096

    def __init__(self, name: str, prepare: Callable[[Floats], Floats], distances: Distances) -> None:
        self.name = name
        self.prepare = prepare
        self.compare = distances

    def extract(self, pixels: Pixels) -> bytes:
        counts = histogram(pixels)
        return (counts / counts.sum()).astype(np.float32).tobytes()

    def distances(self, queries: Sequence[bytes], gallery: Sequence[bytes]) -> Floats:
        return self.compare(self.prepare(_shares(queries)), self.prepare(_shares(gallery)))


def _shares(stored: Sequence[bytes]) -> Floats:
    return np.frombuffer(b"".join(stored), np.float32).reshape(len(stored), -1)


def squared_euclidean(queries: Floats, gallery: Floats) -> Floats:
    squares: Floats = np.square(queries).sum(axis=1)[:, None] + np.square(gallery).sum(axis=1)
    return squares - 2 * queries @ gallery.T


def tempered(shares: Floats) -> Floats:
    powers: Floats = shares**POWER
    return powers / np.linalg.norm(powers, axis=1, keepdims=True)


def low_frequencies(shares: Floats) -> Floats:
    """256 lowest coefficients of the orthonormal 3-D DCT of the square roots."""
    cubes = np.sqrt(shares).reshape(-1, 16, 16, 16)
    spectrum = scipy.fft.dctn(cubes, axes=(1, 2, 3), norm="ortho").reshape(len(shares), -1)
    order = np.argsort(np.indices((16, 16, 16)).sum(axis=0).ravel(), kind="stable")
    lowest: Floats = spectrum[:, order[:256]]
    return lowest


def contenders() -> list[Contender]:
    peers: list[Contender] = [
        Histogram("4,096 bins, L1 (= intersection)", np.asarray, l1),
        Histogram("4,096 bins, chi-square", np.asarray, chi_square),
        Histogram("4,096 bins, L2", np.asarray, squared_euclidean),
        Histogram("4,096 bins, Hellinger", np.sqrt, squared_euclidean),
        Histogram(f"4,096 bins, power {POWER}, L2", tempered, squared_euclidean),
        Histogram("Hellinger, lowest 256 of 3-D DCT", low_frequencies, squared_euclidean),
    ]
    return [*map(Space, METHODS), *peers]


@dataclass(frozen=True)
class Collection:
    """Set and label of each picture; ``stored[contender][i]`` is picture i's feature.

    ``edited[contender][edit][j]`` is the feature of picture ``originals[j]`` after that edit.
    """

    sets: NDArray[np.str_]
    labels: NDArray[np.str_]
    stored: list[list[bytes]]
    originals: NDArray[np.int64]
    edited: list[dict[str, list[bytes]]]


def collect(data: Path, ways: Sequence[Contender]) -> Collection:
    """Decode every picture once, and extract with all contenders from it and from its edits."""
    with (data / "manifest.csv").open(newline="") as file:
        entries = [entry for entry in csv.DictReader(file) if entry["set"] in SETS]
    originals = np.sort(np.random.default_rng(0).choice(len(entries), min(EDITED, len(entries)), replace=False))
    stored: list[list[bytes]] = [[] for _ in ways]
    edited: list[dict[str, list[bytes]]] = [{edit: [] for edit in EDITS} for _ in ways]
    chosen = set(originals.tolist())
    for number, entry in enumerate(entries):
        pixels = decode((data / entry["file"]).read_bytes()).pixels
        _extract(ways, pixels, stored)
        if number in chosen:
            for edit, apply in EDITS.items():
                changed = apply(pixels, np.random.default_rng(number))
                _extract(ways, changed, [features[edit] for features in edited])
    sets, labels = (np.array([entry[column] for entry in entries]) for column in ("set", "label"))
    return Collection(sets, labels, stored, originals, edited)


def _extract(ways: Sequence[Contender], pixels: Pixels, into: Sequence[list[bytes]]) -> None:
    for way, features in zip(ways, into, strict=True):
        features.append(way.extract(pixels))


def precision_and_map(distances: Floats, labels: NDArray[np.str_]) -> tuple[float, float]:
    """Precision of the five nearest others, and mean average precision, over all pictures as queries."""
    apart = distances.astype(np.float64)
    np.fill_diagonal(apart, np.inf)
    order = np.argsort(apart, axis=1, kind="stable")[:, :-1]
    relevant = labels[order] == labels[:, None]
    precisions = np.cumsum(relevant, axis=1) / np.arange(1, relevant.shape[1] + 1)
    average = (precisions * relevant).sum(axis=1) / np.maximum(relevant.sum(axis=1), 1)
    return float(relevant[:, :5].mean()), float(average.mean())


def ranks(distances: Floats, originals: NDArray[np.int64]) -> NDArray[np.int64]:
    """1-based rank of each query's original; others at the same distance do not count against it."""
    own = distances[np.arange(len(originals)), originals]
    found: NDArray[np.int64] = 1 + (distances < own[:, None]).sum(axis=1)
    return found


def labelled_row(way: Contender, pictures: Collection, stored: Sequence[bytes]) -> list[str]:
    cells = [way.name, f"{way.bytes_each:,}"]
    for name in LABELLED:
        members = np.flatnonzero(pictures.sets == name)
        features = [stored[i] for i in members]
        scores = precision_and_map(way.distances(features, features), pictures.labels[members])
        cells += [f"{100 * score:.1f}" for score in scores]
    return cells


def edits_row(
    way: Contender, pictures: Collection, stored: Sequence[bytes], edited: dict[str, list[bytes]]
) -> list[str]:
    found = [ranks(way.distances(edited[edit], stored), pictures.originals) for edit in EDITS]
    firsts, tens = (np.array([100 * np.mean(each <= most) for each in found]) for most in (1, 10))
    cells = [f"{first:.0f} / {ten:.0f}" for first, ten in zip(firsts, tens, strict=True)]
    return [way.name, *cells, f"{firsts.mean():.1f} / {tens.mean():.1f}"]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def report(pictures: Collection, ways: Sequence[Contender]) -> str:
    measures = [f"{name} {measure}" for name in LABELLED for measure in ("P@5", "mAP")]
    labelled = [labelled_row(*each) for each in zip(ways, [pictures] * len(ways), pictures.stored, strict=True)]
    edits = [edits_row(way, pictures, *both) for way, *both in zip(ways, pictures.stored, pictures.edited, strict=True)]
    counts = ", ".join(f"{name} {np.sum(pictures.sets == name)}" for name in SETS)
    return "\n\n".join(
        [
            "# Quality",
            "Made by `python -m benchmarks.quality`; bold rows are spaces of the site, the others are peers.",
            "## Same label within a set, in %",
            table(["", "bytes", *measures], labelled),
            "## The original of an edited picture: recall@1 / recall@10, in %",
            f"{len(pictures.originals)} pictures, each edited in every way, among {len(pictures.sets):,} ({counts}).",
            table(["", *EDITS, "mean"], edits),
        ]
    )


def main(arguments: Sequence[str]) -> None:
    ways = contenders()
    text = report(collect(Path(arguments[0] if arguments else "../shared/data"), ways), ways)
    print(text)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
