"""A query as the engine takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from search.retrieval.live import View
from search.types import Features, Message


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: per space the rows to ask with, ``(m, dimension)``; ``missing`` says why one is absent.

    ``stored`` has the features that the rows are of; a query in words has none. ``views`` are the spaces as they were
    when the query was made, so that it meets no other version than its own; one that is absent is asked as it is then.
    ``exclude`` are keys that are no answer, such as the query picture itself.
    """

    rows: Mapping[str, Features]
    missing: Mapping[str, Message] = field(default_factory=dict)
    exclude: frozenset[int] = frozenset()
    stored: Mapping[str, bytes] = field(default_factory=dict)
    views: Mapping[str, View] = field(default_factory=dict)
    words: bool = False
