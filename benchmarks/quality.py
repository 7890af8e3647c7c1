"""How well each space finds what it should, beside the histogram comparisons it could have used instead.

``python -m benchmarks.quality [data folder] [pictures to edit]`` prints three tables and writes
benchmarks/results/quality.md. The data folder holds manifest.csv (file, set, label) and the files it names. Seeded.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.contenders import DEPTH, Contender, Floats, Space, peers, spaces
from benchmarks.edits import EDITS
from gallery.decoding import decode
from search.retrieval.fusion import fuse
from search.types import Evidence

LABELLED = ("caltech", "corel", "ferrari")
SETS = (*LABELLED, "imagenet", "flickr8k")
EDITED = 100
NOWHERE = 10**9
REPORT = Path(__file__).parent / "results" / "quality.md"


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


def read_manifest(data: Path, edited: int) -> tuple[list[Path], Collection]:
    with (data / "manifest.csv").open(newline="") as file:
        entries = [entry for entry in csv.DictReader(file) if entry["set"] in SETS]
    sets, labels = (np.array([entry[column] for entry in entries]) for column in ("set", "label"))
    chosen = np.random.default_rng(0).choice(len(entries), min(edited, len(entries)), replace=False)
    return [data / entry["file"] for entry in entries], Collection(sets, labels, np.sort(chosen))


def extract_all(files: Sequence[Path], originals: NDArray[np.int64]) -> list[Extracted]:
    """Decode every picture once, and extract with all contenders from it and from its edits."""
    features = [Extracted(way) for way in [*spaces(), *peers()]]
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


def fused(ways: Sequence[Space], distances: Sequence[Floats], originals: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rank of each query's original when all spaces are asked; a large number where none has it."""
    found = np.full(len(originals), NOWHERE)
    for number, original in enumerate(originals.tolist()):
        rankings = {way.space: ranking(way, matrix[number]) for way, matrix in zip(ways, distances, strict=True)}
        keys = [hit.key for hit in fuse(rankings)]
        if original in keys:
            found[number] = 1 + keys.index(original)
    return found


def ranking(way: Space, distances: Floats) -> dict[int, Evidence]:
    """The nearest pictures, as the engine hands them to fusion."""
    order = np.argsort(distances, kind="stable")[:DEPTH].tolist()
    near = [(key, float(distances[key])) for key in order]
    return {key: Evidence(rank, apart, way.method.score(apart)) for rank, (key, apart) in enumerate(near, start=1)}


def edit_rows(features: Sequence[Extracted], pictures: Collection) -> list[list[str]]:
    """A row for each edit, a cell for each space and for all of them, and the means; peers have means only."""
    columns: list[list[NDArray[np.int64]]] = []
    ways = [each.way for each in features if isinstance(each.way, Space)]
    for edit in EDITS:
        apart = [each.way.distances(each.edited[edit], each.stored) for each in features]
        of_spaces = [one for one, each in zip(apart, features, strict=True) if isinstance(each.way, Space)]
        found = [ranks(one, pictures.originals) for one in apart]
        columns.append([*found[: len(ways)], fused(ways, of_spaces, pictures.originals), *found[len(ways) :]])
    rows = [[edit, *map(cell, row[: len(ways) + 1])] for edit, row in zip(EDITS, columns, strict=True)]
    together = [np.concatenate(ranks_of_one) for ranks_of_one in zip(*columns, strict=True)]
    return [*rows, ["**mean**", *map(cell, together)]]


def cell(found: NDArray[np.int64]) -> str:
    """Recall@1 and @10 in %."""
    return " / ".join(f"{100 * float(np.mean(found <= most)):.1f}" for most in (1, 10))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def report(pictures: Collection, features: Sequence[Extracted]) -> str:
    measures = [f"{name} {measure}" for name in LABELLED for measure in ("P@5", "mAP")]
    counts = ", ".join(f"{name} {np.sum(pictures.sets == name)}" for name in SETS)
    edited = f"{len(pictures.originals)} pictures, each edited in every way, among {len(pictures.sets):,}"
    names = [each.way.space for each in features if isinstance(each.way, Space)]
    *rows, means = edit_rows(features, pictures)
    shown = len(names) + 2
    others = [each.way.name for each in features if not isinstance(each.way, Space)]
    return "\n\n".join(
        [
            "# Quality",
            "Made by `make bench-quality`.",
            "## The original of an edited picture: recall@1 / recall@10, in %",
            f"{edited} ({counts}).",
            table(["", *names, "all"], [*rows, means[:shown]]),
            "## What other histograms would do: mean over the same edits",
            table(["", "recall@1 / recall@10"], zip(others, means[shown:], strict=True)),
            "## Same label within a set, in %",
            "Bold rows are spaces of the site, the others are peers.",
            table(["", "bytes", *measures], [labelled_row(each, pictures) for each in features]),
        ]
    )


def main(arguments: Sequence[str]) -> None:
    data, edited, *_ = (*arguments, *("../shared/data", str(EDITED))[len(arguments) :])
    files, pictures = read_manifest(Path(data), int(edited))
    text = report(pictures, extract_all(files, pictures.originals))
    print(text)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
