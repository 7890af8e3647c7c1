"""The contract of an index; the suite in tests/search/indexes/test_contract.py holds every index to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from copy import deepcopy
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
    shared: ClassVar[bool] = False  # rows are on a server: they may run ahead of what was saved, and keys are many
    about: tuple[str, str] = ("", "")  # space and version, for the names of what is kept elsewhere

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

    def beside(self) -> Index:
        """An empty index for what came after this one was saved; small, and grown row by row."""
        from search.indexes.brute import BruteIndex

        return BruteIndex(self.metric, self.dimension)

    def copy(self) -> Self:
        """The same rows, to be changed apart from these."""
        return deepcopy(self)

    def outgrown(self, count: int) -> bool:
        """Whether an index of so many rows had better begin anew, with what it can learn from them."""
        return False

    def train(self, features: Features) -> None:
        """Learn from a sample of the rows to come; called while the index is empty."""
        return

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

    @classmethod
    def keep_only(cls, space: str, folders: Iterable[Path]) -> None:
        """Drop what a shared index keeps of a space elsewhere, but for what these folders name."""
        return

    def reach(self) -> None:
        """Raises SpaceUnavailable if a server that this index lives in does not answer, or has lost it."""
        return

    def note(self, text: str) -> None:
        """Keep a word with the rows of a shared index, for all who load it, before they change."""
        return

    def noted(self) -> str:
        """The last note."""
        return ""

    @abstractmethod
    def __len__(self) -> int: ...
