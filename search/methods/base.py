"""The contract of a method: a picture's pixels in, numbers out; mathematics only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from search.types import Features, Pixels


class Method(ABC):
    """One way of seeing: how a picture becomes a stored feature, and what is asked of the index.

    Pixels are upright sRGB, uint8, shape ``(height, width, 3)``, as gallery/decoding.py gives them.
    ``version`` changes whenever ``extract`` may give other bytes; features of two versions never mix.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    metric: ClassVar[str]
    dimension: ClassVar[int]
    index: ClassVar[str]

    @abstractmethod
    def extract(self, pixels: Pixels) -> bytes:
        """The picture's feature as it is stored."""

    @abstractmethod
    def rows(self, stored: Sequence[bytes]) -> Features:
        """Index rows of stored features: ``(len(stored), dimension)`` in the metric's dtype."""

    @abstractmethod
    def queries(self, stored: bytes) -> Features:
        """Rows to ask with, ``(m, dimension)``: every form in which the picture should be recognised.

        The engine searches each and keeps a key's smallest distance.
        """

    @abstractmethod
    def score(self, distance: float) -> float:
        """Distance in the space's metric -> similarity in 0..1, 1 for identical."""
