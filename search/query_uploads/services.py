"""Searches that have an address: the query picture is kept privately for a set time, then deleted.

What is kept is a small copy without the file's metadata, and its features, so that the search finds the same again.
"""

from __future__ import annotations

import logging
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import reduce
from io import BytesIO

import numpy as np
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.db import DatabaseError, transaction
from django.utils import timezone
from PIL import Image as Pillow

from search.methods import ALL
from search.query_uploads.models import Kept
from search.retrieval.queries import query_by_features, query_by_pixels
from search.retrieval.query import Query
from search.retrieval.regions import Region
from search.types import Pixels

log = logging.getLogger(__name__)
QUALITY = 95
AT_ONCE = 1_000  # searches that one sweep forgets


def storage() -> Storage:
    """Where kept pictures are; nothing of it is served but by search/web/views.py."""
    return storages["queries"]


def keep(pixels: Pixels, query: Query | None = None) -> Kept | None:
    """Keep a picture, and the features that a query by all of it has. ``None`` where QUERY_KEPT is 0.

    A search is answered all the same if there is no room to keep its picture.
    """
    if not settings.QUERY_KEPT:
        return None
    copy, out = Pillow.fromarray(pixels), BytesIO()
    copy.save(out, "JPEG", quality=QUALITY, subsampling=0)
    until = timezone.now() + timedelta(seconds=settings.QUERY_KEPT)
    features = _packed(query) if query else []
    kept = Kept(width=copy.width, height=copy.height, features=features, expires_at=until)
    try:
        with transaction.atomic():
            kept.save(force_insert=True)
            storage().save(kept.file_name, ContentFile(out.getvalue()))
    except (OSError, DatabaseError):
        log.exception("A query picture could not be kept")
        return None
    return kept


def find(key: str) -> Kept | None:
    """The kept search of this id, unless its time is over."""
    return Kept.objects.filter(pk=key, expires_at__gt=timezone.now()).first()


def forget(kept: Kept) -> None:
    """Delete a query picture now. The file goes first: a row without a file is swept, a file without a row never."""
    storage().delete(kept.file_name)
    kept.delete()


def sweep() -> int:
    """Delete the query pictures whose time is over; returns how many."""
    over = list(Kept.objects.filter(expires_at__lte=timezone.now())[:AT_ONCE])
    for kept in over:
        forget(kept)
    return len(over)


def kept_pixels(kept: Kept) -> Pixels:
    """The kept copy's pixels."""
    with storage().open(kept.file_name) as file:
        return np.asarray(Pillow.open(file).convert("RGB"))


def query_by_kept(kept: Kept, method: str = ALL, region: Region | None = None) -> Query:
    """A kept search asked again, or a part of its picture. What a space cannot use any more is computed anew."""
    if region:
        return query_by_pixels(region.cut(kept_pixels(kept)), method)
    query = query_by_features(_unpacked(kept.features), method)
    if not query.missing:
        return query
    pixels = kept_pixels(kept)
    return reduce(_joined, [query_by_pixels(pixels, space) for space in query.missing], replace(query, missing={}))


def _packed(query: Query) -> list[list[str]]:
    return [
        [space, query.views[space].method.version, b64encode(data).decode()] for space, data in query.stored.items()
    ]


def _unpacked(features: Sequence[Sequence[str]]) -> dict[tuple[str, str], bytes]:
    return {(space, version): b64decode(data) for space, version, data in features}


def _joined(one: Query, other: Query) -> Query:
    """A query that asks what both ask."""
    return replace(
        one,
        rows={**one.rows, **other.rows},
        missing={**one.missing, **other.missing},
        stored={**one.stored, **other.stored},
        views={**one.views, **other.views},
    )
