"""The local space against the article's way: how fast, and how often right.

``python -m benchmarks.local [data folder]`` writes benchmarks/results/local.md. The article's way: 500 RootSIFT a
picture, ``cv2.BFMatcher.knnMatch`` of the query with every picture, matches counted at a ratio of 0.75. Seeded.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.edits import EDITS, crop
from benchmarks.quality import table
from gallery.decoding import decode
from search.indexes.inverted.index import InvertedIndex
from search.keypoints import codec
from search.keypoints import extraction as keypoints_extraction
from search.keypoints.extraction import working_greys
from search.methods.local import LocalFeatures
from search.types import Pixels

REPORT = Path(__file__).parent / "results" / "local.md"
EDITED = 40  # pictures that are edited in every way
BY_ARTICLE = 3  # of them, those that are also asked in the article's way, which takes seconds each
TIMED = 60
CROPS = 9  # of each picture, as distractors
SAMPLE = 2_000
MADE = 100_000
CHUNK = 1_000
TIMES = ("ms (median)", "ms (95%)", "search alone, ms (median)")

Descriptors = NDArray[np.float32]


class Article:
    """500 RootSIFT a picture; the picture with the most good matches is the answer."""

    def __init__(self, pictures: Iterable[Pixels]) -> None:
        self.all = [self.extract(pixels) for pixels in pictures]
        self.matcher = cv2.BFMatcher()

    @staticmethod
    def extract(pixels: Pixels) -> Descriptors:
        grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
        _, found = cv2.SIFT.create(500).detectAndCompute(grey, None)
        if found is None:
            return np.empty((0, 128), np.float32)
        return np.asarray(np.sqrt(found / (found.sum(axis=1, keepdims=True) + 1e-7)), np.float32)

    def find(self, query: Descriptors) -> list[int]:
        good = [self.good(query, each) for each in self.all]
        order: list[int] = np.argsort(-np.array(good), kind="stable").tolist()
        return order

    def good(self, query: Descriptors, other: Descriptors) -> int:
        if len(query) < 1 or len(other) < 2:
            return 0
        return sum(one.distance < 0.75 * two.distance for one, two in self.matcher.knnMatch(query, other, k=2))


class Ours:
    """The space as the engine asks it, without the database."""

    def __init__(self, stored: Callable[[int], bytes]) -> None:
        self.method, self.stored = LocalFeatures(), stored
        self.index = InvertedIndex(self.method.metric, self.method.dimension)

    def fill(self, count: int) -> None:
        chosen = np.random.default_rng(0).choice(count, min(count, SAMPLE), replace=False)
        if self.index.outgrown(count):
            self.index.train(self.method.rows([self.stored(int(key)) for key in np.sort(chosen)]))
        self.more(0, count)

    def more(self, first: int, last: int) -> None:
        for start in range(first, last, CHUNK):
            keys = np.arange(start, min(start + CHUNK, last))
            self.index.add(keys, self.method.rows([self.stored(int(key)) for key in keys]))

    def extract(self, pixels: Pixels) -> bytes:
        return self.method.extract(pixels)

    def find(self, query: bytes) -> list[int]:
        if not codec.count(query):
            return []
        nearest: dict[int, float] = {}
        forms: dict[int, int] = {}
        for form, row in enumerate(self.method.queries(query)):
            found = self.index.search(row, 100)
            for key, distance in zip(found.keys.tolist(), found.distances.tolist(), strict=True):
                if distance < nearest.get(key, 2.0):
                    nearest[key], forms[key] = distance, form
        best = sorted(nearest, key=lambda key: (nearest[key], key))[: self.method.reranked]
        seen = self.method.verify(query, [self.stored(key) for key in best], [forms[key] for key in best])
        nearest |= {key: one.distance for key, one in zip(best, seen, strict=True)}
        return sorted(nearest, key=lambda key: (nearest[key], key))


@dataclass(frozen=True)
class Asked:
    """An edited picture, and which it was made from."""

    edit: str
    original: int
    pixels: Pixels


def read(data: Path) -> list[Pixels]:
    with (data / "manifest.csv").open(newline="") as file:
        files = sorted(entry["file"] for entry in csv.DictReader(file) if entry["set"] == "caltech")
    return [decode((data / name).read_bytes()).pixels for name in files]


def asked(pictures: Sequence[Pixels], count: int) -> list[Asked]:
    chosen = np.sort(np.random.default_rng(0).choice(len(pictures), min(count, len(pictures)), replace=False)).tolist()
    return [
        Asked(edit, i, apply(pictures[i], np.random.default_rng(i))) for edit, apply in EDITS.items() for i in chosen
    ]


@dataclass(frozen=True)
class Answers:
    """What was found for each question, the seconds that it took, and those of them without extraction."""

    found: list[list[int]]
    times: list[float]
    searching: list[float]


def answered(way: Article | Ours, questions: Sequence[Asked]) -> Answers:
    answers = Answers([], [], [])
    for one in questions:
        started = perf_counter()
        query: Any = way.extract(one.pixels)
        middle = perf_counter()
        answers.found.append(way.find(query))
        answers.searching.append(perf_counter() - middle)
        answers.times.append(perf_counter() - started)
    return answers


def recall(answers: Sequence[Sequence[int]], questions: Sequence[Asked], most: int) -> float:
    return float(np.mean([one.original in found[:most] for one, found in zip(questions, answers, strict=True)]))


def by_edit(answers: Sequence[list[int]], questions: Sequence[Asked]) -> list[list[str]]:
    rows = []
    for edit in EDITS:
        pairs = [(found, one) for found, one in zip(answers, questions, strict=True) if one.edit == edit]
        found, ones = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        rows.append([edit, *(f"{100 * recall(found, ones, most):.1f}" for most in (1, 10))])
    return [*rows, ["**mean**", *(f"{100 * recall(answers, questions, most):.2f}" for most in (1, 10))]]


def distractors(pictures: Sequence[Pixels], stored: list[bytes]) -> None:
    """Add records of random windows of the pictures."""
    random = np.random.default_rng(7)
    for _ in range(CROPS):
        stored += [
            keypoints_extraction.extract(crop(pixels, random, area=random.uniform(0.2, 0.6))) for pixels in pictures
        ]


class Made:
    """Records of pictures that never were: the keypoints of four others, shuffled, moved and blurred."""

    def __init__(self, stored: Sequence[bytes]) -> None:
        self.stored, self.real = stored, [codec.raw_points(one) for one in stored]

    def __call__(self, key: int) -> bytes:
        if key < len(self.stored):
            return self.stored[key]
        random = np.random.default_rng(key)
        pool = np.concatenate([self.real[i] for i in random.integers(len(self.real), size=4)])
        points = random.choice(pool, min(codec.MOST, len(pool)), replace=False)
        wide = codec.codes(codec.SIFT, points["descriptor"]).astype(np.int64)
        wide = np.clip(wide + random.integers(-2, 3, wide.shape), 0, 15).astype(np.uint8)
        places = np.column_stack(
            [random.uniform(0, 400, (len(points), 2)), 2 ** (points["size"] / 16), random.uniform(0, 360, len(points))]
        )
        return codec.pack(codec.SIFT, (400, 400), wide[:, 0::2] << 4 | wide[:, 1::2], places.astype(np.float32))


def extraction(pictures: Sequence[Pixels]) -> tuple[float, float]:
    """Median ms of bare SIFT at the working size, and of the whole extraction of the same pictures."""
    bare, ours = [], []
    for pixels in pictures:
        grey = working_greys(pixels)
        started = perf_counter()
        cv2.SIFT.create().detectAndCompute(grey, None)
        middle = perf_counter()
        keypoints_extraction.extract(pixels)
        bare.append(middle - started)
        ours.append(perf_counter() - middle)
    return 1000 * float(np.median(bare)), 1000 * float(np.median(ours))


def milliseconds(times: Sequence[float], percent: float = 50) -> str:
    return f"{1000 * float(np.percentile(times, percent)):,.0f}"


def timings(found: Answers) -> list[str]:
    """Cells: whole queries, median and 95%, and searching alone."""
    return [milliseconds(found.times), milliseconds(found.times, 95), milliseconds(found.searching)]


def grown(ours: Ours, count: int, questions: Sequence[Asked]) -> list[str]:
    """A row of the table of sizes."""
    answered(ours, questions[:3])
    found = answered(ours, questions)
    ten = f"{100 * recall(found.found, questions, 10):.1f}"
    return [f"{count:,}", *timings(found), ten]


@dataclass(frozen=True)
class Measured:
    """What the report is made of."""

    pictures: int
    extraction: tuple[float, float]
    bytes_each: Sequence[int]
    questions: Sequence[Asked]
    answers: Answers
    race: Mapping[str, Answers]
    raced: Sequence[Asked]
    sizes: Sequence[list[str]]


def measure(pictures: Sequence[Pixels]) -> Measured:
    questions = asked(pictures, EDITED)
    some = [questions[i] for i in np.random.default_rng(1).choice(len(questions), TIMED, replace=False)]
    stored = [keypoints_extraction.extract(pixels) for pixels in pictures]
    bytes_each = [len(one) for one in stored]
    ours = Ours(stored.__getitem__)
    ours.fill(len(stored))
    answers = answered(ours, questions)
    few = [one for one in questions if one.original in {each.original for each in questions[:BY_ARTICLE]}]
    race = {"the article's way": answered(Article(pictures), few), "**local**": answered(ours, few)}
    sizes = [grown(ours, len(stored), some)]
    distractors(pictures, stored)
    ours = Ours(stored.__getitem__)
    ours.fill(len(stored))
    sizes.append(grown(ours, len(stored), some))
    ours.stored = Made(stored)
    ours.more(len(stored), MADE)
    sizes.append(grown(ours, MADE, some))
    return Measured(len(pictures), extraction(pictures[::10]), bytes_each, questions, answers, race, few, sizes)


def report(found: Measured) -> str:
    bare, whole = found.extraction
    theirs, mine = (np.array(one.searching) for one in found.race.values())
    rows = [
        [name, *timings(answers), *(f"{100 * recall(answers.found, found.raced, most):.1f}" for most in (1, 10))]
        for name, answers in found.race.items()
    ]
    return "\n\n".join(
        [
            "# Keypoints",
            "Made by `make bench-local`, in one run. Times are of whole queries, and of them without extraction.",
            f"Extraction: {whole:.1f} ms a picture (median); bare `cv2.SIFT` at the same size {bare:.1f} ms: "
            f"{whole / bare:.2f} times. In the database {np.mean(found.bytes_each):,.0f} bytes a picture, at most "
            f"{codec.ROW:,}; in the index 14 bytes a keypoint, at most {14 * codec.MOST + 29:,} a picture.",
            f"## Against the article's way: {len(found.raced)} edits of {BY_ARTICLE} of {found.pictures:,} pictures",
            table(["", *TIMES, "recall@1", "recall@10"], rows),
            f"The search is {np.median(theirs) / np.median(mine):,.0f} times as fast.",
            "## Growth",
            f"{TIMED} edited pictures. 10,000: with {CROPS} crops of each picture; 100,000: with made keypoints.",
            table(["pictures", *TIMES, "recall@10"], found.sizes),
            f"## Every edit of {EDITED} pictures, sought among {found.pictures:,}: recall in %",
            table(["", "@1", "@10"], by_edit(found.answers.found, found.questions)),
        ]
    )


def main(arguments: Sequence[str]) -> None:
    text = report(measure(read(Path(arguments[0] if arguments else "../shared/data"))))
    print(text)
    REPORT.write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
