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
    def bits_per_pixel(self) -> float:
        return 8 * self.bytes / (self.width * self.height)


Measure = Callable[[Candidate], float]
Say = Callable[[Candidate], str]

# What counts, the most telling first: a number of which more is better, and how to say that it is the best.
AREA: tuple[tuple[Measure, Say], ...] = (
    (lambda one: round(one.whole, 1), lambda one: "shows the most"),
    (lambda one: one.width * one.height, lambda one: f"the largest, {one.width:,} × {one.height:,}"),
)
CARE: tuple[tuple[Measure, Say], ...] = (
    (
        lambda one: WITHOUT_LOSS if one.format in LOSSLESS else one.bits_per_pixel,
        lambda one: (
            f"saved without loss, {one.format}"
            if one.format in LOSSLESS
            else f"the least compressed, {one.bits_per_pixel:.1f} bits a pixel"
        ),
    ),
)
# Tags and albums come last, for they go to whichever is kept.
ORIGIN: tuple[tuple[Measure, Say], ...] = (
    (lambda one: one.taken, lambda one: "knows when it was taken"),
    (lambda one: -one.created_at.timestamp(), lambda one: "here the longest"),
    (lambda one: one.said, lambda one: "has the most tags and albums"),
)


def suggest(
    candidates: Sequence[Candidate], eligible: Sequence[int], *, changed: bool = False
) -> tuple[int, list[str]]:
    """The key of the best that is ``eligible``, and in what it is better than some other; the best reason first.

    ``candidates`` are not empty and hold all that are eligible. ``changed``: one was drawn on or turned, so that how
    well it was saved afterwards says nothing.
    """
    measures = AREA + ORIGIN if changed else AREA + CARE + ORIGIN
    left = [one for one in candidates if one.key in eligible]
    for measure, _ in measures:
        best = max(measure(one) for one in left)
        left = [one for one in left if _as_good(measure(one), best)]
    chosen = min(left, key=lambda one: one.key)
    reasons = [say(chosen) for measure, say in measures if _stands_out(chosen, candidates, measure)]
    return chosen.key, reasons[:3]


def _as_good(value: float, best: float) -> bool:
    """Nearly the best counts as the best; times, which are negative, are compared exactly."""
    return value >= best or (best > 0 and value * NEARLY >= best)


def _stands_out(chosen: Candidate, candidates: Sequence[Candidate], measure: Measure) -> bool:
    values = [measure(one) for one in candidates]
    mine = measure(chosen)
    return _as_good(mine, max(values)) and not all(_as_good(value, mine) for value in values)
