"""A race: the same queries to several contestants in turns, medians of times and of their ratios, and recall."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from benchmarks.index_peers import Contestant, Rows
from search.indexes.metrics import METRICS

ROUNDS = 5
NO_TARGETS: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class Line:
    """One contestant's result; ``ratio`` is how many times the time of ours it took, ``target`` what it should be."""

    name: str
    ms: float
    ratio: float
    recall: float
    queries: int
    target: float | None = None
    at_most: bool = False

    @property
    def met(self) -> str:
        if self.target is None:
            return ""
        return "yes" if (self.ratio <= self.target if self.at_most else self.ratio >= self.target) else "no"


@dataclass(frozen=True)
class Race:
    """The first line is ours."""

    title: str
    count: int
    bits: int
    lines: Sequence[Line] = field(default_factory=tuple)


def flipped(rows: Rows, most: int, seed: int) -> Rows:
    """Copies of rows, each with 0 to ``most`` bits changed."""
    random, copies = np.random.default_rng(seed), rows.copy()
    for copy in copies:
        for bit in random.choice(64 * rows.shape[1], random.integers(0, most + 1), replace=False):
            copy[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return copies


def planted(count: int, words: int, most: int, queries: int = 200, seed: int = 0) -> tuple[Rows, Rows]:
    """Random hashes among which each of the queries has three near copies, of up to ``most`` bits' difference."""
    random = np.random.default_rng(seed)
    rows = random.integers(0, 2**64, (count, words), dtype=np.uint64)
    asked = random.integers(0, 2**64, (queries, words), dtype=np.uint64)
    places = random.permutation(count)[: 3 * queries]
    rows[places] = flipped(np.repeat(asked, 3, axis=0), most, seed + 1)
    return rows, asked


@dataclass(frozen=True)
class Question:
    """All within ``radius``, or else the ``k`` nearest."""

    k: int | None = None
    radius: int | None = None

    def right(self, distances: NDArray[np.float64]) -> tuple[float, int]:
        """Up to which distance answers are right, and how many there are."""
        if self.k is None:
            return self.radius or 0, int(np.count_nonzero(distances <= (self.radius or 0)))
        return float(np.partition(distances, self.k - 1)[self.k - 1]), self.k


def recall(contestant: Contestant, rows: Rows, asked: Rows, question: Question) -> float:
    """Share of the right answers that are found; of rows equally far, any will do."""
    found = right = 0
    for query in asked:
        distances = METRICS["hamming" if rows.dtype == np.uint64 else "euclidean"].distances(query, rows)
        edge, count = question.right(distances)
        keys = np.unique(np.array(list(contestant.ask(query)), np.int64))
        found += min(int(np.count_nonzero(distances[keys] <= edge)), count)
        right += count
    return found / right if right else 1.0


def milliseconds(contestant: Contestant, asked: Rows) -> float:
    """Median of one query each, the first of which is asked once before."""
    contestant.ask(asked[0])
    times = []
    for query in asked:
        started = time.perf_counter()
        contestant.ask(query)
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def run(
    title: str,
    rows: Rows,
    asked: Rows,
    question: Question,
    contestants: Sequence[Contestant],
    targets: Mapping[str, float] = NO_TARGETS,
) -> Race:
    """Everyone has a turn in each round, so that what else the machine does falls on all."""
    print(title, file=sys.stderr, flush=True)
    times: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
    for part in np.array_split(asked, ROUNDS):
        for contestant in contestants:
            times[contestant.name].append(milliseconds(contestant, part[: max(1, contestant.most // ROUNDS)]))
    ours = times[contestants[0].name]
    lines = [
        Line(
            name=contestant.name,
            ms=statistics.median(times[contestant.name]),
            ratio=statistics.median(a / b for a, b in zip(times[contestant.name], ours, strict=True)),
            recall=recall(contestant, rows, asked[: min(20, contestant.most)], question),
            queries=min(contestant.most, len(asked)),
            target=targets.get(contestant.name),
        )
        for contestant in contestants
    ]
    return Race(title, len(rows), 64 * rows.shape[1], lines)
