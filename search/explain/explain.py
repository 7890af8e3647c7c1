"""Why a picture was found: what each space has to say of a query and one stored picture, with something to look at."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.collection import Image, images, pixels_of, thumbnail
from search.exceptions import SpaceUnavailable, message_of
from search.explain import evidence
from search.features.store import stored_of
from search.indexes.metrics import METRICS
from search.keypoints.localization import matched
from search.methods import METHODS
from search.methods.base import Method
from search.query_uploads.models import QueryUpload
from search.query_uploads.services import query_by_upload, upload_pixels
from search.retrieval.queries import query_by_stored, query_by_text
from search.retrieval.query import Query
from search.retrieval.regions import Region
from search.types import Message, Pixels

log = logging.getLogger(__name__)

SAMPLE = 1_000  # pictures that a distance is compared with
SMALL = 256  # pixels; what colours are counted in


@dataclass(frozen=True)
class Asked:
    """What was searched for: a stored picture, a kept one, a part of either, or words; and its query."""

    query: Query
    image: Image | None = None
    kept: QueryUpload | None = None
    words: str = ""
    region: Region | None = None

    @cached_property
    def pixels(self) -> Pixels | None:
        """The picture, or the part of it, small; None for words."""
        whole = small_pixels(self.image) if self.image else upload_pixels(self.kept) if self.kept else None
        return self.region.cut(whole) if self.region and whole is not None else whole

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture, or of the part of it, in pixels."""
        whole = self.image or self.kept
        width, height = (whole.width, whole.height) if whole else (1, 1)
        part = self.region or Region(0, 0, 1, 1)
        return max(1, round(width * part.width)), max(1, round(height * part.height))


@dataclass(frozen=True, slots=True)
class Said:
    """What one space says. ``nearer``: share of a sample of the collection that is farther from the query, or None.

    ``shown`` is what search/explain/evidence.py draws from.
    """

    space: str
    distance: float
    score: float
    nearer: float | None
    sampled: int
    shown: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Why:
    """All that is said, and by whom not."""

    said: tuple[Said, ...]
    skipped: Mapping[str, Message]
    took_ms: float


@dataclass(frozen=True, slots=True)
class Pair:
    """A query and a stored picture, as evidence is made from them."""

    method: Method
    asked: Asked
    image: Image
    data: bytes


SHOWN: dict[str, Callable[[Pair], Mapping[str, Any]]] = {
    "phash": lambda pair: evidence.bits(pair.asked.query.spaces["phash"].rows, pair.method.rows([pair.data])[0]),
    "color": lambda pair: _colours(pair),
    "local": lambda pair: _matches(pair),
}


def ask_by_image(image: Image, region: Region | None = None) -> Asked:
    """A stored picture asks, or a part of it."""
    return Asked(query_by_stored(image, region=region), image=image, region=region)


def ask_by_kept(kept: QueryUpload, region: Region | None = None) -> Asked:
    """A kept picture asks, or a part of it."""
    return Asked(query_by_upload(kept, region=region), kept=kept, region=region)


def ask_by_words(words: str) -> Asked:
    return Asked(query_by_text(words), words=words)


def explain(asked: Asked, image: Image) -> Why:
    """What every space says of this picture; one that cannot is in ``skipped``."""
    started = perf_counter()
    said: list[Said] = []
    skipped = dict(asked.query.missing)
    for space in METHODS:
        if space not in asked.query.spaces:
            continue
        try:
            said.append(_said(space, asked, image))
        except SpaceUnavailable as error:
            skipped[space] = error.message
        except Exception:
            log.exception("Space %s cannot explain", space)
            skipped[space] = message_of("method_failed")
    return Why(tuple(said), skipped, round(1000 * (perf_counter() - started), 3))


def _said(space: str, asked: Asked, image: Image) -> Said:
    method = asked.query.spaces[space].view.method
    data = stored_of([image.pk], space, method.version).get(image.pk)
    if data is None:
        raise SpaceUnavailable("result_not_extracted")
    distance = float(_distances(method, asked.query, space, [data])[0])
    others = _sample(space, method.version, asked.query.exclude | {image.pk}) if not method.verified else []
    farther = float(np.mean(_distances(method, asked.query, space, others) > distance)) if others else None
    score = method.word_score(distance) if asked.query.words else method.score(distance)
    shown = SHOWN[space](Pair(method, asked, image, data)) if space in SHOWN else {}
    return Said(space, distance, score, farther, len(others), shown)


def _distances(method: Method, query: Query, space: str, stored: Sequence[bytes]) -> NDArray[np.float64]:
    """Of each to the nearest of the query's forms, as a search counts it."""
    feature = query.spaces[space].feature
    if method.verified and feature is not None:
        return np.array([one.distance for one in method.verify(feature, stored)])
    rows = method.rows(stored)
    found: NDArray[np.float64] = np.min(
        [METRICS[method.metric].distances(form, rows) for form in query.spaces[space].rows], axis=0
    )
    return found


def _sample(space: str, version: str, but: Set[int]) -> list[bytes]:
    """Features of pictures from all over the collection, always the same while it does not change."""
    ids = images().order_by("pk").values_list("pk", flat=True)
    first, last = ids.first() or 0, ids.last() or 0
    spread = np.unique(np.linspace(first, last, SAMPLE).astype(int)).tolist()
    return [data for key, data in stored_of(spread, space, version).items() if key not in but]


def small_pixels(image: Image) -> Pixels:
    """A stored picture's smallest copy, or what it would be made from."""
    if not image.thumbnailed:
        return pixels_of(image)
    return np.asarray(thumbnail(image, SMALL))


def _colours(pair: Pair) -> Mapping[str, Any]:
    mine = pair.asked.pixels
    return {} if mine is None else evidence.colours(mine, small_pixels(pair.image))


def _matches(pair: Pair) -> Mapping[str, Any]:
    """Where the query lies in the found picture, and which of its points were found there."""
    stored = pair.asked.query.spaces["local"].feature
    if stored is None:
        return {}
    return evidence.matches(matched(stored, pair.data), pair.asked.size, (pair.image.width, pair.image.height))
