"""The few values that cross borders between methods, indexes, engine and pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.int64]
Features = NDArray[np.generic]
Pixels = NDArray[np.uint8]
Transform = tuple[float, ...]  # 3 x 3, row by row: pixels of the query, as shares of its size -> of the hit
Step = TypeVar("Step")


def gettext_noop(text: str) -> str:
    """The text itself: marks it for makemessages, in modules that know no Django. Pages translate it."""
    return text


class Message(str):
    """A text for people with its ``code`` and what a translation needs.

    As a string it is English, for logs, programs and whatever is stored; gallery/web/i18n.py fills ``params`` into the
    translation of ``text``. A parameter may be a Message too.
    """

    code: str
    text: str
    params: Mapping[str, object]

    def __new__(cls, code: str, text: str, **params: object) -> Self:
        message = super().__new__(cls, text % params if params else text)
        message.code, message.text, message.params = code, text, params
        return message


@dataclass(frozen=True, slots=True)
class Confidence:
    """How far fusion may believe a method.

    ``weight``: the exponent of its doubt, so that less than 1 lets it say less. ``least_doubt``: what it leaves open
    even when it is sure.
    """

    weight: float = 1.0
    least_doubt: float = 0.03


@dataclass(frozen=True, slots=True)
class Matches:
    """Answer of an index: int64 keys and float64 distances, nearest first, ties by key."""

    keys: Keys
    distances: NDArray[np.float64]

    @classmethod
    def none(cls) -> Matches:
        return cls(np.empty(0, np.int64), np.empty(0, np.float64))

    @classmethod
    def ranked(cls, keys: Keys, distances: NDArray[np.float64], k: int | None = None) -> Matches:
        """Sort by distance, then key, and keep the first ``k``."""
        order = np.lexsort((keys, distances))[:k]
        return cls(keys[order], distances[order])

    def within(self, radius: float) -> Matches:
        """The matches at most ``radius`` away, in their order."""
        inside = self.distances <= radius
        return Matches(self.keys[inside], self.distances[inside])

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a space ranked a picture as it did: 1-based rank, distance in the space's metric, score 0..1.

    ``transform``: where the query lies in the picture, if the method verifies that.
    """

    rank: int
    distance: float
    score: float
    transform: Transform | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A picture in a result, with the evidence of each space that has some."""

    key: int
    score: float
    distance: float
    methods: Mapping[str, Evidence]


@dataclass(frozen=True, slots=True)
class Result:
    """Hits best first; ``skipped`` says which spaces could not answer, and why."""

    method: str
    took_ms: float
    hits: tuple[Hit, ...] = ()
    skipped: Mapping[str, Message] = field(default_factory=dict)


class Progress(Protocol):
    """Wraps the steps of long work; ``total`` is their number. A command draws a bar, a job updates its row."""

    def __call__(self, steps: Iterable[Step], total: int, label: str) -> Iterable[Step]: ...


def silent(steps: Iterable[Step], total: int, label: str) -> Iterable[Step]:
    """Show no progress."""
    return steps
