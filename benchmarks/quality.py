"""How well each space finds what it should, beside the histogram comparisons it could have used instead.

``python -m benchmarks.quality [data folder] [pictures to edit]`` prints three tables and writes
benchmarks/results/quality.md, and quality.json for the help page. The data folder holds manifest.csv (file, set, label)
and the files it names. Seeded.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
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
MEAN = "mean"
REPORT = Path(__file__).parent / "results" / "quality.md"
FIGURES = REPORT.with_suffix(".json")


Shares = tuple[float, float]  # recall@1 and recall@10, in %


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


def edit_shares(features: Sequence[Extracted], pictures: Collection) -> dict[str, list[Shares]]:
    """For each edit, and for all edits together ("mean"): shares of each space, of all spaces fused, of each peer."""
    columns: dict[str, list[NDArray[np.int64]]] = {}
    ways = [each.way for each in features if isinstance(each.way, Space)]
    for edit in EDITS:
        apart = [each.way.distances(each.edited[edit], each.stored) for each in features]
        of_spaces = [one for one, each in zip(apart, features, strict=True) if isinstance(each.way, Space)]
        found = [ranks(one, pictures.originals) for one in apart]
        columns[edit] = [*found[: len(ways)], fused(ways, of_spaces, pictures.originals), *found[len(ways) :]]
    columns[MEAN] = [np.concatenate(of_one) for of_one in zip(*columns.values(), strict=True)]
    return {edit: [shares(found) for found in row] for edit, row in columns.items()}


def shares(found: NDArray[np.int64]) -> Shares:
    """Recall@1 and @10 in %, to one decimal."""
    at_1, at_10 = (round(100 * float(np.mean(found <= most)), 1) for most in (1, 10))
    return at_1, at_10


def cell(found: Shares) -> str:
    return " / ".join(f"{share:.1f}" for share in found)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def report(pictures: Collection, features: Sequence[Extracted], edits: Mapping[str, Sequence[Shares]]) -> str:
    measures = [f"{name} {measure}" for name in LABELLED for measure in ("P@5", "mAP")]
    counts = ", ".join(f"{name} {count}" for name, count in counted(pictures).items())
    edited = f"{len(pictures.originals)} pictures, each edited in every way, among {len(pictures.sets):,}"
    names = [*spaces_of(features), "all"]
    rows = [[f"**{edit}**" if edit == MEAN else edit, *map(cell, row[: len(names)])] for edit, row in edits.items()]
    others = [each.way.name for each in features if not isinstance(each.way, Space)]
    return "\n\n".join(
        [
            "# Quality",
            "Made by `make bench-quality`.",
            "## The original of an edited picture: recall@1 / recall@10, in %",
            f"{edited} ({counts}).",
            table(["", *names], rows),
            "## What other histograms would do: mean over the same edits",
            table(["", "recall@1 / recall@10"], zip(others, map(cell, edits[MEAN][len(names) :]), strict=True)),
            "## Same label within a set, in %",
            "Bold rows are spaces of the site, the others are peers.",
            table(["", "bytes", *measures], [labelled_row(each, pictures) for each in features]),
        ]
    )


def figures(pictures: Collection, spaces: Sequence[str], edits: Mapping[str, Sequence[Shares]]) -> str:
    """What the help page shows, as JSON: for each edit the shares of each space, and of all fused."""
    names = [*spaces, "all"]
    rows = [
        {
            "edit": edit,
            "recall_at_1": {name: at_1 for name, (at_1, _) in zip(names, row, strict=False)},
            "recall_at_10": {name: at_10 for name, (_, at_10) in zip(names, row, strict=False)},
        }
        for edit, row in edits.items()
    ]
    about = {"edited": len(pictures.originals), "among": len(pictures.sets), "sets": counted(pictures)}
    return json.dumps({**about, "edits": rows}, indent=1, ensure_ascii=False)


def spaces_of(features: Iterable[Extracted]) -> list[str]:
    return [each.way.space for each in features if isinstance(each.way, Space)]


def counted(pictures: Collection) -> dict[str, int]:
    """Pictures in each set."""
    return {name: int(np.sum(pictures.sets == name)) for name in SETS}


def main(arguments: Sequence[str]) -> None:
    data, edited, *_ = (*arguments, *("../shared/data", str(EDITED))[len(arguments) :])
    files, pictures = read_manifest(Path(data), int(edited))
    features = extract_all(files, pictures.originals)
    edits = edit_shares(features, pictures)
    text = report(pictures, features, edits)
    print(text)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(text + "\n")
    FIGURES.write_text(figures(pictures, spaces_of(features), edits) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
