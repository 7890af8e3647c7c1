"""The changes of a space in the order of their sequence numbers, and how an index takes them over."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import numpy as np
from django.db.models import QuerySet

from search.features.store import feature_rows
from search.indexes.base import Index
from search.methods.base import Method
from search.models import Commit, Feature, Position
from search.types import Features

log = logging.getLogger(__name__)

CHUNK = 2_000  # rows in memory at once
SAMPLE = 1_000  # rows that an index is trained on

Change = tuple[int, bytes | None]  # image id, and its stored feature or None for a tombstone


def contains(space: str, head: Position, position: Position) -> bool:
    """Whether the changelog up to ``head`` has the change at ``position``.

    It has not when the database was restored from a backup that is older than that change.
    """
    # The head's own token is in the row of its space; an empty one is of the beginning, which every changelog has.
    if position.sequence >= head.sequence or not position.token:
        return position.sequence <= head.sequence and position.token in ("", head.token)
    return Commit.objects.filter(space=space, sequence=position.sequence, token=position.token).exists()


def changed_rows(space: str, after: int, upto: int | None = None, version: str | None = None) -> QuerySet[Feature]:
    """Features and tombstones that were written after a sequence number, and not after ``upto``; unordered.

    Of all versions, unless one is named.
    """
    rows = Feature.objects.filter(space=space, sequence__gt=after)
    rows = rows if upto is None else rows.filter(sequence__lte=upto)
    return rows if version is None else rows.filter(version=version)


def changes(space: str, version: str, after: int, upto: int | None = None) -> Iterator[list[Change]]:
    """The changes of a version after a sequence number, in order, in chunks."""
    # Page by page: one long query would keep SQLite from resetting its log, and PostgreSQL from removing old rows.
    while True:
        rows = changed_rows(space, after, upto, version).order_by("sequence")
        chunk = list(rows.values_list("sequence", "image_id", "data")[:CHUNK])
        if not chunk:
            return
        yield [(key, None if data is None else bytes(data)) for _, key, data in chunk]
        after = chunk[-1][0]


def apply(index: Index, space: str, method: Method, changed: Sequence[Change]) -> None:
    """Make an index as if the changes had happened in it. What is no feature of the version is extracted again."""
    added = {key: data for key, data in changed if data is not None and method.fits(data)}
    removed = [key for key, _ in changed if key not in added]
    if unfit := [key for key, data in changed if key not in added and data is not None]:
        log.error("Features of %s that do not fit are extracted again: %s", space, unfit)
        Feature.objects.filter(space=space, version=method.version, image_id__in=unfit).update(stale=True)
    if removed:
        index.remove(np.array(removed, np.int64))
    if added:
        index.add(np.fromiter(added, np.int64, len(added)), method.rows(list(added.values())))


def sample(space: str, method: Method) -> Features:
    """Rows of at most ``SAMPLE`` stored features, ``(n, dimension)``: chosen at random, the same ones at every call."""
    stored = feature_rows(space, method.version)
    # Ids first: the features of the whole collection would not fit into memory.
    ids = np.fromiter(stored.order_by("pk").values_list("pk", flat=True), np.int64)
    chosen = np.random.default_rng(0).choice(ids, min(SAMPLE, len(ids)), replace=False)
    features = stored.filter(pk__in=chosen.tolist()).order_by("pk").values_list("data", flat=True)
    return method.rows([bytes(data) for data in features if data is not None and method.fits(bytes(data))])
