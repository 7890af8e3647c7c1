"""Searches that have an address: the query picture is stored privately for a set time, then deleted.

Only a reduced copy without the file's metadata is stored, and its features, so that the search finds the same again.
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
from search.query_uploads.models import QueryUpload
from search.retrieval.queries import query_by_features, query_by_pixels
from search.retrieval.query import Query
from search.retrieval.regions import Region
from search.types import Pixels

log = logging.getLogger(__name__)
QUALITY = 95
AT_ONCE = 1_000  # query uploads that one sweep deletes


def storage() -> Storage:
    """Of query uploads; only search/web/views.py serves its files."""
    return storages["queries"]


def store(pixels: Pixels, query: Query | None = None) -> QueryUpload | None:
    """Store a picture, and the features that a query by all of it has. None where QUERY_KEPT is 0.

    None also if it cannot be stored, for instance on a full disk: the search is answered all the same.
    """
    if not settings.QUERY_KEPT:
        return None
    copy, out = Pillow.fromarray(pixels), BytesIO()
    copy.save(out, "JPEG", quality=QUALITY, subsampling=0)
    until = timezone.now() + timedelta(seconds=settings.QUERY_KEPT)
    features = _packed(query) if query else []
    upload = QueryUpload(width=copy.width, height=copy.height, features=features, expires_at=until)
    try:
        with transaction.atomic():
            upload.save(force_insert=True)
            storage().save(upload.file_name, ContentFile(out.getvalue()))
    except (OSError, DatabaseError):
        log.exception("A query upload could not be stored")
        return None
    return upload


def find(key: str) -> QueryUpload | None:
    """The query upload of this id, unless it has expired."""
    return QueryUpload.objects.filter(pk=key, expires_at__gt=timezone.now()).first()


def delete(upload: QueryUpload) -> None:
    """At once. The file goes first: a row without a file is swept, a file without a row never."""
    storage().delete(upload.file_name)
    upload.delete()


def delete_expired() -> int:
    """Delete at most ``AT_ONCE`` that have expired; returns how many."""
    expired = list(QueryUpload.objects.filter(expires_at__lte=timezone.now())[:AT_ONCE])
    for upload in expired:
        delete(upload)
    return len(expired)


def upload_pixels(upload: QueryUpload) -> Pixels:
    """The stored copy, decoded."""
    with storage().open(upload.file_name) as file:
        return np.asarray(Pillow.open(file).convert("RGB"))


def query_by_upload(upload: QueryUpload, method: str = ALL, region: Region | None = None) -> Query:
    """The search by an upload once more, or by a part of it. Features of versions that are gone are computed anew."""
    if region:
        return query_by_pixels(region.cut(upload_pixels(upload)), method)
    query = query_by_features(_unpacked(upload.features), method)
    if not query.missing:
        return query
    pixels = upload_pixels(upload)
    return reduce(_joined, [query_by_pixels(pixels, space) for space in query.missing], replace(query, missing={}))


def _packed(query: Query) -> list[list[str]]:
    return [
        [space, asked.view.method.version, b64encode(asked.feature).decode()]
        for space, asked in query.spaces.items()
        if asked.feature is not None
    ]


def _unpacked(features: Sequence[Sequence[str]]) -> dict[tuple[str, str], bytes]:
    return {(space, version): b64decode(data) for space, version, data in features}


def _joined(one: Query, other: Query) -> Query:
    """A query that asks what both ask."""
    return replace(one, spaces={**one.spaces, **other.spaces}, missing={**one.missing, **other.missing})
