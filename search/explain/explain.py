"""Why a picture was found: what each space says of a query and one stored picture, with evidence to look at."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.collection import Image, images, pixels_of, thumbnail
from search.exceptions import SpaceUnavailable, message_of
from search.features.store import stored_of
from search.indexes.metrics import METRICS
from search.methods import METHODS
from search.methods.base import Comparison
from search.query_uploads.models import QueryUpload
from search.query_uploads.services import query_by_upload, upload_pixels
from search.retrieval.queries import query_by_stored, query_by_text
from search.retrieval.query import Query, SpaceQuery
from search.retrieval.regions import Region
from search.types import Message, Pixels

log = logging.getLogger(__name__)

SAMPLE = 1_000  # pictures that a distance is compared with
SMALL = 256  # pixels; in such copies colours are counted


@dataclass(frozen=True)
class ExplainedQuery:
    """A query and what it was made from: a stored picture, a query upload, a part of either, or words."""

    query: Query
    image: Image | None = None
    upload: QueryUpload | None = None
    words: str = ""
    region: Region | None = None

    @property
    def picture(self) -> Image | QueryUpload | None:
        """The picture that was searched by, with its size; None for words."""
        return self.image or self.upload

    @cached_property
    def pixels(self) -> Pixels | None:
        """The picture, or the part of it, small; None for words."""
        if self.image:
            pixels = small_pixels(self.image)
        elif self.upload:
            pixels = upload_pixels(self.upload)
        else:
            return None
        return self.region.cut(pixels) if self.region else pixels

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture, or of the part of it, in pixels."""
        width, height = (self.picture.width, self.picture.height) if self.picture else (1, 1)
        part = self.region or Region(0, 0, 1, 1)
        return max(1, round(width * part.width)), max(1, round(height * part.height))


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one space says. ``nearer``: share of a sample of the collection that is farther from the query, or None.

    ``shown``: the method's evidence, which ``drawing`` names the drawing of.
    """

    space: str
    distance: float
    score: float
    nearer: float | None
    sampled: int
    shown: Mapping[str, Any]
    drawing: str


@dataclass(frozen=True, slots=True)
class Explanations:
    """What all spaces say; ``skipped`` has the reason of each that says nothing."""

    by_space: Mapping[str, Explanation]
    skipped: Mapping[str, Message]
    took_ms: float


def explained_image(image: Image, region: Region | None = None) -> ExplainedQuery:
    """A query by a stored picture, or by a part of it."""
    return ExplainedQuery(query_by_stored(image, region=region), image=image, region=region)


def explained_upload(upload: QueryUpload, region: Region | None = None) -> ExplainedQuery:
    """A query by a query upload, or by a part of it."""
    return ExplainedQuery(query_by_upload(upload, region=region), upload=upload, region=region)


def explained_words(words: str) -> ExplainedQuery:
    """The query of a search by words, as the explanation shows it."""
    return ExplainedQuery(query_by_text(words), words=words)


def explain(explained: ExplainedQuery, image: Image) -> Explanations:
    """What every space says of this picture; one that cannot is in ``skipped``."""
    started = perf_counter()
    by_space: dict[str, Explanation] = {}
    skipped = dict(explained.query.missing)
    for space in METHODS:
        if space not in explained.query.spaces:
            continue
        try:
            by_space[space] = _explanation(space, explained, image)
        except SpaceUnavailable as error:
            skipped[space] = error.message
        except Exception:
            log.exception("Space %s cannot explain", space)
            skipped[space] = message_of("method_failed")
    return Explanations(by_space, skipped, round(1000 * (perf_counter() - started), 3))


def _explanation(space: str, explained: ExplainedQuery, image: Image) -> Explanation:
    query, space_query = explained.query, explained.query.spaces[space]
    method = space_query.view.method
    stored = stored_of([image.pk], space, method.version).get(image.pk)
    if stored is None:
        raise SpaceUnavailable("result_not_extracted")
    distance = float(_distances(space_query, [stored])[0])
    # To verify a thousand candidates would take minutes.
    others = _sample(space, method.version, query.exclude | {image.pk}) if not method.reranked else []
    nearer = float(np.mean(_distances(space_query, others) > distance)) if others else None
    score = method.word_score(distance) if query.words else method.score(distance)
    comparison = Comparison(
        rows=space_query.rows,
        query=space_query.feature,
        image=stored,
        query_size=explained.size,
        image_size=(image.width, image.height),
        query_pixels=lambda: explained.pixels,
        image_pixels=lambda: small_pixels(image),
    )
    return Explanation(space, distance, score, nearer, len(others), method.evidence(comparison), method.drawing)


def _distances(space_query: SpaceQuery, stored: Sequence[bytes]) -> NDArray[np.float64]:
    """Of each to the nearest of the query's forms, as a search counts it."""
    method, feature = space_query.view.method, space_query.feature
    if method.reranked and feature is not None:
        return np.array([verified.distance for verified in method.verify(feature, stored)])
    rows, measure = method.rows(stored), METRICS[method.metric].distances
    nearest: NDArray[np.float64] = np.min([measure(form, rows) for form in space_query.rows], axis=0)
    return nearest


def _sample(space: str, version: str, without: Set[int]) -> list[bytes]:
    """Features of pictures from all over the collection, always the same while it does not change."""
    ids = images().order_by("pk").values_list("pk", flat=True)
    first, last = ids.first() or 0, ids.last() or 0
    spread = np.unique(np.linspace(first, last, SAMPLE).astype(int)).tolist()
    return [data for key, data in stored_of(spread, space, version).items() if key not in without]


def small_pixels(image: Image) -> Pixels:
    """A stored picture's smallest copy, or what it would be made from."""
    if not image.thumbnailed:
        return pixels_of(image)
    return np.asarray(thumbnail(image, SMALL))
