"""Which of several pictures that are the same to keep, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

LOSSLESS = frozenset({"PNG", "TIFF", "BMP", "PPM", "TGA"})
WITHOUT_LOSS = 1e9  # bits a pixel: more than any
NEARLY = 1.02  # a picture 1% wider than another is as large


@dataclass(frozen=True, slots=True)
class Candidate:
    """``whole``: the share of all that one of them shows; ``said``: its tags and albums."""

    key: int
    width: int
    height: int
    bytes: int
    format: str
    created_at: datetime
    taken: bool = False
    said: int = 0
    whole: float = 1.0

    @property
    def care(self) -> float:
        """Bits a pixel; more than any where nothing is lost."""
        return WITHOUT_LOSS if self.format in LOSSLESS else bits_per_pixel(self.bytes, self.width, self.height)


def bits_per_pixel(size: int, width: int, height: int) -> float:
    """Of a file of so many bytes."""
    return 8 * size / (width * height)


Measure = Callable[[Candidate], float]
Code = Callable[[Candidate], str]

# What counts, the most telling first: a number of which more is better, and the code of that it is the best.
# search/duplicates/wording.py has their texts.
AREA: tuple[tuple[Measure, Code], ...] = (
    (lambda one: round(one.whole, 1), lambda one: "shows_most"),
    (lambda one: one.width * one.height, lambda one: "largest"),
)
CARE: tuple[tuple[Measure, Code], ...] = (
    (lambda one: one.care, lambda one: "lossless" if one.format in LOSSLESS else "least_compressed"),
)
# Tags and albums come last, for they go to whichever is kept.
ORIGIN: tuple[tuple[Measure, Code], ...] = (
    (lambda one: one.taken, lambda one: "time_known"),
    (lambda one: -one.created_at.timestamp(), lambda one: "oldest"),
    (lambda one: one.said, lambda one: "most_described"),
)


def suggest(
    candidates: Sequence[Candidate], eligible: Sequence[int], *, changed: bool = False
) -> tuple[int, list[str]]:
    """The key of the best that is ``eligible``, and the codes of what is better in it; the best reason first.

    ``candidates`` are not empty and hold all that are eligible. ``changed``: one was drawn on or turned, so that how
    well it was saved afterwards says nothing.
    """
    measures = AREA + ORIGIN if changed else AREA + CARE + ORIGIN
    left = [one for one in candidates if one.key in eligible]
    for measure, _ in measures:
        best = max(measure(one) for one in left)
        left = [one for one in left if _as_good(measure(one), best)]
    chosen = min(left, key=lambda one: one.key)
    reasons = [code(chosen) for measure, code in measures if _stands_out(chosen, candidates, measure)]
    return chosen.key, reasons[:3]


def _as_good(value: float, best: float) -> bool:
    """Nearly the best counts as the best; times, which are negative, are compared exactly."""
    return value >= best or (best > 0 and value * NEARLY >= best)


def _stands_out(chosen: Candidate, candidates: Sequence[Candidate], measure: Measure) -> bool:
    values = [measure(one) for one in candidates]
    mine = measure(chosen)
    return _as_good(mine, max(values)) and not all(_as_good(value, mine) for value in values)
