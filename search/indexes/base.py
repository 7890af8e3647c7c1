"""The contract of an index; tests/search/indexes/test_contract.py holds every index to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Self

from search.types import Features, Keys, Matches


class Index(ABC):
    """Nearest-neighbour search over feature rows that carry int64 keys.

    Features are 2-D: ``(n, dimension)``, in the metric's dtype (see metrics.py); a query is one row.
    An index is changed by one thread at a time; a loaded index may be searched by many.
    ``exact``: whether every answer is the true one. ``copy.deepcopy`` gives an index that is changed independently.
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

        With ``allowed``, unique ascending keys, only rows with these keys are answers.
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


class TrainedIndex(Index):
    """An index that learns from a sample of its rows before the first of them is added."""

    @abstractmethod
    def train(self, features: Features) -> None:
        """Learn from a sample of the rows to come. Raises ``ValueError`` if the index is not empty."""

    @abstractmethod
    def outgrown(self, count: int) -> bool:
        """Whether an index of ``count`` rows should be built anew, trained on a sample of them."""

    @abstractmethod
    def empty_copy(self) -> Self:
        """An empty index with the same training."""


class SharedIndex(Index):
    """An index whose rows are on a server that all processes share.

    The rows may be ahead of what was saved, and ``keys`` reads all of them from the server. Everything raises
    SpaceUnavailable while the server does not answer. ``owner`` is the space and version that rows are named by.
    """

    owner: tuple[str, str] = ("", "")

    @classmethod
    @abstractmethod
    def keep_only(cls, space: str, folders: Iterable[Path]) -> None:
        """Delete the rows of a space from the server, except those that these saved folders refer to."""

    @abstractmethod
    def reach(self) -> None:
        """Raises SpaceUnavailable if the server does not answer, or has lost the rows."""

    @abstractmethod
    def note(self, text: str) -> None:
        """Store a text with the rows, for every process that loads them; called before the rows change."""

    @abstractmethod
    def noted(self) -> str:
        """The last text stored by ``note``; "" if there is none."""
