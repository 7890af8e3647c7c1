"""What only the map does with a selection of pictures: search by their mean, list them. The rest is the gallery's."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import StringIO
from typing import Any

import numpy as np
from django.db.models import QuerySet

from search.collection import Image, as_zip
from search.exceptions import BadQuery, SearchError
from search.features.store import current
from search.features.versions import state_of
from search.retrieval.engine import search
from search.retrieval.live import view_of
from search.retrieval.query import Query, SpaceQuery
from search.types import Result

SAMPLE = 500  # pictures that a mean is made of, at most


def selected(ids: Sequence[int]) -> QuerySet[Image]:
    """Those of the pictures that exist, by id."""
    return Image.objects.filter(pk__in=ids).order_by("pk")


def similar_to_mean(*, ids: Sequence[int], space: str, limit: int) -> Result:
    """Pictures near the mean of these, without them. Raises SearchError if none has a feature yet."""
    state = state_of(space)
    method = state.serving
    # Evenly from a large selection: more do not move the mean.
    sample = ids[:: -(-len(ids) // SAMPLE)]
    stored = current(state).filter(image_id__in=sample).values_list("data", flat=True)
    fitting = [bytes(data) for data in stored if data is not None and method.fits(bytes(data))]
    if not fitting:
        raise BadQuery("nothing_extracted")
    if not method.is_vector_space:
        raise SearchError("method_without_mean")
    rows = method.rows(fitting).astype(np.float32)
    mean, length = rows.mean(axis=0), np.linalg.norm(rows, axis=1).mean()
    mean *= length / (np.linalg.norm(mean) or 1.0)  # as long as its rows: a mean of unit vectors is shorter
    query = SpaceQuery(view_of(state), mean[np.newaxis])
    return search(Query({space: query}, exclude=frozenset(sample)), method=space, limit=limit)


Write = Callable[[QuerySet[Image]], Iterator[bytes]]
COLUMNS = ("id", "title", "tags", "width", "height", "format", "bytes", "sha256", "created_at", "url")


def facts_of(image: Image) -> dict[str, Any]:
    """What JSON and CSV say of a picture, as JSON values; its tags must have been prefetched."""
    values = {name: getattr(image, name) for name in COLUMNS if name not in {"tags", "created_at", "url"}}
    tags = sorted(tag.name for tag in image.tags.all())
    return {**values, "tags": tags, "created_at": image.created_at.isoformat(), "url": image.get_absolute_url()}


def as_json(images: QuerySet[Image]) -> Iterator[bytes]:
    """A JSON list of what is known about the pictures, in pieces."""
    between = b"[\n"
    for image in images.prefetch_related("tags").iterator(500):
        yield between + json.dumps(facts_of(image), ensure_ascii=False).encode()
        between = b",\n"
    yield b"\n]\n" if between == b",\n" else b"[]\n"


def as_csv(images: QuerySet[Image]) -> Iterator[bytes]:
    """A CSV file of what is known about the pictures, line by line."""
    yield _csv_line(COLUMNS)
    for image in images.prefetch_related("tags").iterator(500):
        row = facts_of(image) | {"tags": ", ".join(tag.name for tag in image.tags.all())}
        yield _csv_line([_harmless(row[name]) for name in COLUMNS])


def _csv_line(cells: Iterable[object]) -> bytes:
    line = StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()


def _harmless(value: object) -> object:
    """Spreadsheets run what begins like a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value


# Format -> media type, writer.
EXPORTS: dict[str, tuple[str, Write]] = {
    "json": ("application/json", as_json),
    "csv": ("text/csv; charset=utf-8", as_csv),
    "zip": ("application/zip", as_zip),
}
