"""How well each space finds what it should, beside the histogram comparisons it could have used instead.

``python -m benchmarks.quality [data folder]`` prints two tables and writes benchmarks/results/quality.md.
The data folder holds manifest.csv (file, set, label) and the files it names. Everything is seeded.
"""

from __future__ import annotations

import csv
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
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


def contenders() -> list[Contender]:
    peers: list[Contender] = [
        Histogram("4,096 bins, L1 (= intersection)", np.asarray, l1),
        Histogram("4,096 bins, chi-square", np.asarray, chi_square),
        Histogram("4,096 bins, L2", np.asarray, squared_euclidean),
        Histogram("4,096 bins, Hellinger", np.sqrt, squared_euclidean),
        Histogram(f"4,096 bins, power {POWER}, L2", tempered, squared_euclidean),
        Histogram("Hellinger, lowest 256 of 3-D DCT", low_frequencies, squared_euclidean, numbers=256),
    ]
    return [*map(Space, METHODS), *peers]


@dataclass(frozen=True)
class Extracted:
    """One contender's features: of every picture, and of the edits of the chosen ones."""

    way: Contender
    stored: list[bytes] = field(default_factory=list)
    edited: dict[str, list[bytes]] = field(default_factory=lambda: {edit: [] for edit in EDITS})


@dataclass(frozen=True)
class Collection:
    """Set and label of every picture, and the positions of those that are edited."""

    sets: NDArray[np.str_]
    labels: NDArray[np.str_]
    originals: NDArray[np.int64]


def read_manifest(data: Path) -> tuple[list[Path], Collection]:
    with (data / "manifest.csv").open(newline="") as file:
        entries = [entry for entry in csv.DictReader(file) if entry["set"] in SETS]
    sets, labels = (np.array([entry[column] for entry in entries]) for column in ("set", "label"))
    chosen = np.random.default_rng(0).choice(len(entries), min(EDITED, len(entries)), replace=False)
    return [data / entry["file"] for entry in entries], Collection(sets, labels, np.sort(chosen))


def extract_all(files: Sequence[Path], originals: NDArray[np.int64]) -> list[Extracted]:
    """Decode every picture once, and extract with all contenders from it and from its edits."""
    features = [Extracted(way) for way in contenders()]
    chosen = set(originals.tolist())
    for number, file in enumerate(files):
        pixels = decode(file.read_bytes()).pixels
        for each in features:
            each.stored.append(each.way.extract(pixels))
        for edit, apply in EDITS.items() if number in chosen else ():
            changed = apply(pixels, np.random.default_rng(number))
            for each in features:
                each.edited[edit].append(each.way.extract(changed))
    return features


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


def labelled_row(each: Extracted, pictures: Collection) -> list[str]:
    cells = [each.way.name, f"{each.way.bytes_each:,}"]
    for name in LABELLED:
        members = np.flatnonzero(pictures.sets == name)
        features = [each.stored[i] for i in members.tolist()]
        scores = precision_and_map(each.way.distances(features, features), pictures.labels[members])
        cells += [f"{100 * score:.1f}" for score in scores]
    return cells


def edits_row(each: Extracted, pictures: Collection) -> list[str]:
    found = [ranks(each.way.distances(each.edited[edit], each.stored), pictures.originals) for edit in EDITS]
    firsts, tens = ([100 * float(np.mean(rank <= most)) for rank in found] for most in (1, 10))
    cells = [f"{first:.0f} / {ten:.0f}" for first, ten in zip(firsts, tens, strict=True)]
    return [each.way.name, *cells, f"{np.mean(firsts):.1f} / {np.mean(tens):.1f}"]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def report(pictures: Collection, features: Sequence[Extracted]) -> str:
    measures = [f"{name} {measure}" for name in LABELLED for measure in ("P@5", "mAP")]
    counts = ", ".join(f"{name} {np.sum(pictures.sets == name)}" for name in SETS)
    edited = f"{len(pictures.originals)} pictures, each edited in every way, among {len(pictures.sets):,}"
    return "\n\n".join(
        [
            "# Quality",
            "Made by `python -m benchmarks.quality`; bold rows are spaces of the site, the others are peers.",
            "## Same label within a set, in %",
            table(["", "bytes", *measures], [labelled_row(each, pictures) for each in features]),
            "## The original of an edited picture: recall@1 / recall@10, in %",
            f"{edited} ({counts}).",
            table(["", *EDITS, "mean"], [edits_row(each, pictures) for each in features]),
        ]
    )


def main(arguments: Sequence[str]) -> None:
    files, pictures = read_manifest(Path(arguments[0] if arguments else "../shared/data"))
    text = report(pictures, extract_all(files, pictures.originals))
    print(text)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
