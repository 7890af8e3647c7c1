"""A query as the engine takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from search.retrieval.live import View
from search.types import Features, Message


@dataclass(frozen=True, slots=True)
class SpaceQuery:
    """A query of one space: find the nearest to any of ``rows``, of shape ``(m, dimension)``, in a view of the space.

    The view is the one for which the rows were made, so that they are compared with no other version of features.
    ``feature`` is the stored feature that the rows were made from, for re-ranking; words and means have none.
    """

    view: View
    rows: Features
    feature: bytes | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A query of several spaces; ``missing`` has the reason for each space that cannot take part.

    ``exclude`` are keys that are no answer, such as the query picture itself. ``words``: the query is a text.
    """

    spaces: Mapping[str, SpaceQuery]
    missing: Mapping[str, Message] = field(default_factory=dict)
    exclude: frozenset[int] = frozenset()
    words: bool = False
