"""Which of several duplicates to keep, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

LOSSLESS = frozenset({"PNG", "TIFF", "BMP", "PPM", "TGA"})
WITHOUT_LOSS = 1e9  # bits a pixel: more than any
TOLERANCE = 1.02  # a picture 1% wider than another is as large
MOST_REASONS = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """``coverage``: of what the group shows, the share that it shows; ``labels``: number of its tags and albums."""

    key: int
    width: int
    height: int
    bytes: int
    format: str
    created_at: datetime
    taken: bool = False
    labels: int = 0
    coverage: float = 1.0

    @property
    def fidelity(self) -> float:
        """Bits a pixel; more than any where nothing is lost."""
        return WITHOUT_LOSS if self.format in LOSSLESS else bits_per_pixel(self.bytes, self.width, self.height)


def bits_per_pixel(size: int, width: int, height: int) -> float:
    """Of a file of so many bytes."""
    return 8 * size / (width * height)


Measure = Callable[[Candidate], float]
Code = Callable[[Candidate], str]
Criteria = tuple[tuple[Measure, Code], ...]

# The most important first: a number of which more is better, and the code of the reason that it is the best.
# search/duplicates/wording.py has their texts.
AREA: Criteria = (
    (lambda candidate: round(candidate.coverage, 1), lambda candidate: "shows_most"),
    (lambda candidate: candidate.width * candidate.height, lambda candidate: "largest"),
)
FIDELITY: Criteria = (
    (
        lambda candidate: candidate.fidelity,
        lambda candidate: "lossless" if candidate.format in LOSSLESS else "least_compressed",
    ),
)
# Tags and albums come last, for they go to whichever is kept.
ORIGIN: Criteria = (
    (lambda candidate: candidate.taken, lambda candidate: "time_known"),
    (lambda candidate: -candidate.created_at.timestamp(), lambda candidate: "oldest"),
    (lambda candidate: candidate.labels, lambda candidate: "most_described"),
)


def choose(candidates: Sequence[Candidate], eligible: Sequence[int], *, edited: bool = False) -> tuple[int, list[str]]:
    """The key of the best that is ``eligible``, and the codes of what is better in it; the best reason first.

    ``candidates`` are not empty and hold all that are eligible. ``edited``: one of them was edited, mirrored or
    rotated, so how well it was saved afterwards says nothing of how near it is to the original.
    """
    criteria = AREA + ORIGIN if edited else AREA + FIDELITY + ORIGIN
    best = [candidate for candidate in candidates if candidate.key in eligible]
    for measure, _ in criteria:
        top = max(map(measure, best))
        best = [candidate for candidate in best if _as_good(measure(candidate), top)]
    chosen = min(best, key=lambda candidate: candidate.key)
    reasons = [code(chosen) for measure, code in criteria if _stands_out(chosen, candidates, measure)]
    return chosen.key, reasons[:MOST_REASONS]


def _as_good(value: float, best: float) -> bool:
    """Nearly the best counts as the best; times, which are negative, are compared exactly."""
    return value >= best or (best > 0 and value * TOLERANCE >= best)


def _stands_out(chosen: Candidate, candidates: Sequence[Candidate], measure: Measure) -> bool:
    """Whether it is the best by this measure, and not all are as good."""
    values = [measure(candidate) for candidate in candidates]
    own = measure(chosen)
    return _as_good(own, max(values)) and not all(_as_good(value, own) for value in values)
