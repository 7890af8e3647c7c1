"""A query as the engine takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from search.retrieval.live import View
from search.types import Features, Message


@dataclass(frozen=True, slots=True)
class SpaceQuery:
    """What one space is asked: the nearest to any of ``rows``, of shape ``(m, dimension)``, in a view of the space.

    The view is that of when the query was made, so that the rows meet no version of features but their own.
    ``feature`` is the stored feature that the rows were made from, for re-ranking; words and means have none.
    """

    view: View
    rows: Features
    feature: bytes | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for, by space; ``missing`` says why a space cannot be asked.

    ``exclude`` are keys that are no answer, such as the query picture itself. ``words``: the query is a text.
    """

    spaces: Mapping[str, SpaceQuery]
    missing: Mapping[str, Message] = field(default_factory=dict)
    exclude: frozenset[int] = frozenset()
    words: bool = False
