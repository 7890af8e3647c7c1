"""The contract of a method: a picture's pixels in, numbers out; mathematics only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from search.exceptions import BadQuery
from search.types import Features, Pixels, Transform


@dataclass(frozen=True, slots=True)
class Picture:
    """Upright sRGB pixels, uint8 ``(height, width, 3)``, and what networks have made of them so far.

    ``seen`` is keyed by a network and its preprocessing: methods that share one run it once per picture.
    """

    pixels: Pixels
    seen: dict[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verified:
    """What a second look at a candidate found: its distance in the space's metric, and how the query lies in it."""

    distance: float
    transform: Transform | None = None


class Method(ABC):
    """One way of seeing: how a picture becomes a stored feature, and what is asked of the index.

    Pixels are upright sRGB, uint8, shape ``(height, width, 3)``, as gallery/decoding/ gives them.
    ``stored`` is the dtype of the numbers that a stored feature has, for who reads it elsewhere.
    ``version`` changes whenever ``extract`` may give other bytes; features of two versions never mix. Where a model
    is needed and there is none, ``version``, ``dimension`` and all that computes raise SpaceUnavailable.
    """

    name: ClassVar[str]
    metric: ClassVar[str]
    index: ClassVar[str]
    stored: ClassVar[str] = "|u1"
    words: ClassVar[bool] = False  # whether it can be asked in words
    verified: ClassVar[int] = 0  # how many of the nearest are looked at again, by ``verify``

    @property
    @abstractmethod
    def version(self) -> str: ...

    @property
    @abstractmethod
    def dimension(self) -> int: ...

    @abstractmethod
    def extract(self, pixels: Pixels) -> bytes:
        """The picture's feature as it is stored."""

    def extract_many(self, pictures: Sequence[Picture]) -> list[bytes]:
        """The features of several pictures, in their order."""
        return [self.extract(picture.pixels) for picture in pictures]

    def fits(self, stored: bytes) -> bool:
        """Whether these bytes can be a feature of this version; others never come near an index."""
        return len(stored) > 0

    @abstractmethod
    def rows(self, stored: Sequence[bytes]) -> Features:
        """Index rows of stored features: ``(len(stored), dimension)`` in the metric's dtype."""

    @abstractmethod
    def queries(self, stored: bytes) -> Features:
        """Rows to ask with, ``(m, dimension)``: every form in which the picture should be recognised.

        The engine searches each and keeps a key's smallest distance.
        """

    def read(self, text: str) -> Features:
        """Rows to ask with for words, ``(m, dimension)``. Raises BadQuery if the method knows no words."""
        raise BadQuery("method_without_words", method=self.name)

    @abstractmethod
    def score(self, distance: float) -> float:
        """Distance in the space's metric -> similarity in 0..1, 1 for identical."""

    def word_score(self, distance: float) -> float:
        """The same for the distance of a picture to words, which are never identical."""
        return self.score(distance)

    def verify(self, query: bytes, stored: Sequence[bytes], forms: Sequence[int] | None = None) -> list[Verified]:
        """The ``verified`` nearest candidates seen again, in their order: stored features against the query's.

        ``forms``: which of the rows of ``queries`` found each; all are tried where that is not known.
        """
        return []

    def now(self) -> Method:
        """This method as it is configured now; a model may have taken the place of another."""
        return self

    def at(self, version: str) -> Method | None:
        """This method in a version; None if that cannot be computed any more."""
        return self if version == self.version else None
