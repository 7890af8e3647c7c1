"""What happened in a space, in order, and taking it over into an index."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
from django.db.models import Q

from search.indexes.base import Index
from search.methods.base import Method
from search.models import Commit, Feature, Moment
from search.types import Features

log = logging.getLogger(__name__)

CHUNK = 2_000  # rows in memory at once
SAMPLE = 1_000  # rows that an index learns from


def follows(space: str, now: Moment, seen: Moment) -> bool:
    """Whether the space's history up to ``now`` contains what was ``seen``.

    It does not when the database was restored from a backup that is older than what was seen.
    """
    if seen.sequence >= now.sequence or not seen.token:
        return seen.sequence <= now.sequence and seen.token in ("", now.token)
    return Commit.objects.filter(space=space, sequence=seen.sequence, token=seen.token).exists()


def changes(space: str, version: str, after: int, upto: int | None = None) -> Iterator[list[tuple[int, bytes | None]]]:
    """What happened to a version after a sequence, in order, in chunks: (image id, stored feature or None if gone)."""
    rows = Feature.objects.filter(space=space, version=version)
    while True:
        found = list(
            rows.filter(Q(sequence__gt=after) & (Q() if upto is None else Q(sequence__lte=upto)))
            .order_by("sequence")
            .values_list("sequence", "image_id", "data")[:CHUNK]
        )
        if not found:
            return
        yield [(key, None if data is None else bytes(data)) for _, key, data in found]
        after = found[-1][0]


def apply(index: Index, space: str, method: Method, changed: list[tuple[int, bytes | None]]) -> None:
    """Take over changes: removals, additions and replacements. What is no feature of the version is made again."""
    kept = {key: data for key, data in changed if data is not None and method.fits(data)}
    gone = [key for key, _ in changed if key not in kept]
    if spoilt := [key for key, data in changed if key not in kept and data is not None]:
        log.error("Features of %s that do not fit are extracted again: %s", space, spoilt)
        Feature.objects.filter(space=space, version=method.version, image_id__in=spoilt).update(stale=True)
    if gone:
        index.remove(np.array(gone, np.int64))
    if kept:
        index.add(np.fromiter(kept, np.int64, len(kept)), method.rows(list(kept.values())))


def sample(space: str, method: Method) -> Features:
    """Rows of some stored features, chosen at random but always the same ones."""
    stored = Feature.objects.filter(space=space, version=method.version, data__isnull=False)
    ids = np.fromiter(stored.order_by("pk").values_list("pk", flat=True), np.int64)
    chosen = np.random.default_rng(0).choice(ids, min(SAMPLE, len(ids)), replace=False)
    datas = stored.filter(pk__in=chosen.tolist()).order_by("pk").values_list("data", flat=True)
    return method.rows([bytes(data) for data in datas if data is not None and method.fits(bytes(data))])
