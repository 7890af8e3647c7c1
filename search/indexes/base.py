"""The contract of an index; the suite in tests/test_index_contract.py holds every index to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Self

from search.types import Features, Keys, Matches


class Index(ABC):
    """Nearest-neighbour search over feature rows that carry int64 keys.

    Features are 2-D: ``(n, dimension)``, in the metric's dtype (see metrics.py); a query is one row.
    An index is changed by one thread at a time; a loaded index may be searched by many.
    """

    metrics: ClassVar[frozenset[str]]
    exact: ClassVar[bool]

    def __init__(self, metric: str, dimension: int) -> None:
        self.metric = metric
        self.dimension = dimension

    @abstractmethod
    def add(self, keys: Keys, features: Features) -> None:
        """Add rows; a key that is there already is replaced, the last of a key repeated in one call wins."""

    @abstractmethod
    def remove(self, keys: Keys) -> None:
        """Remove rows; keys that are not there are ignored."""

    @abstractmethod
    def search(self, feature: Features, k: int, allowed: Keys | None = None) -> Matches:
        """The ``min(k, len(self))`` nearest rows to one feature of shape ``(dimension,)``.

        With ``allowed``, unique ascending keys, only those of them that are here are answers.
        """

    @abstractmethod
    def within(self, feature: Features, radius: float) -> Matches:
        """All rows at distance <= ``radius``."""

    @abstractmethod
    def keys(self) -> Keys:
        """Keys of all live rows, ascending."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the index into an existing empty folder."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, metric: str, dimension: int) -> Self:
        """Read what ``save`` wrote. Raises ``SnapshotDamaged`` (search/exceptions.py) if it cannot be read."""

    @abstractmethod
    def __len__(self) -> int: ...
