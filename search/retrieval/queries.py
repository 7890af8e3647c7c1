"""Makes queries of pixels, a stored image, a part of a stored image, or words."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from time import perf_counter

from search.collection import Image, pixels_of
from search.exceptions import BadQuery, SpaceUnavailable, message_of
from search.features.store import features_of
from search.features.versions import states_of
from search.methods import ALL, label_of, method_class, spaces_of, words_space
from search.methods.base import Method, Picture
from search.retrieval.engine import search
from search.retrieval.guard import skipping
from search.retrieval.live import view_of
from search.retrieval.query import Query, SpaceQuery
from search.retrieval.regions import Region
from search.types import Message, Pixels, Result

log = logging.getLogger(__name__)


def by_words(words: str, method: str, limit: int) -> Result:
    """The result of a search by words. Raises BadQuery or UnknownSpace."""
    if not words_space():
        return Result(method, 0.0, skipped={method: message_of("no_text_model")})
    started = perf_counter()
    query = query_by_text(words, method)
    encoding = 1000 * (perf_counter() - started)
    result = search(query, method=method, limit=limit)
    return replace(result, took_ms=round(result.took_ms + encoding, 3))


def query_by_stored(image: Image, method: str = ALL, region: Region | None = None) -> Query:
    """A query by a stored picture or a part of it. Raises UnknownSpace; for a part, what ``pixels_of`` raises."""
    return query_by_part(image, method, region) if region else query_by_image(image.pk, method)


def query_by_part(image: Image, method: str, region: Region) -> Query:
    """A query by a part of a stored picture, which is no answer to itself."""
    query = query_by_pixels(region.cut(pixels_of(image)), method)
    return replace(query, exclude=frozenset([image.pk]))


def query_by_image(image_id: int, method: str = ALL) -> Query:
    """A query by a stored picture, which is no answer to itself."""
    features = features_of(image_id, spaces_of(method))
    return replace(query_by_features(features, method), exclude=frozenset([image_id]))


def query_by_pixels(pixels: Pixels, method: str = ALL) -> Query:
    """A query by a picture that need not be stored."""
    picture = Picture(pixels)
    return _query(spaces_of(method), lambda _, serving: serving.extract_many([picture])[0])


def query_by_features(features: Mapping[tuple[str, str], bytes], method: str = ALL) -> Query:
    """A query by features that were extracted before, by (space, version); a space with another version is missing."""
    return _query(spaces_of(method), lambda space, serving: features.get((space, serving.version), b""))


def query_by_text(text: str, method: str = ALL) -> Query:
    """A query by words, for the spaces that know words. Raises BadQuery if the named space knows none."""
    names = [space for space in spaces_of(method) if method_class(space).knows_words]
    if not names:
        raise BadQuery("method_without_words", method=Message(method, label_of(method)))
    spaces, missing = {}, dict[str, Message]()
    for state in states_of(names, snapshots=False):
        with skipping(state.name, missing):
            view = view_of(state)
            spaces[state.name] = SpaceQuery(view, view.method.encode_text(text))
    return Query(spaces, missing, words=True)


def _query(names: Iterable[str], feature: Callable[[str, Method], bytes]) -> Query:
    """A query by one feature a space, each of the version that serves in this process now."""
    spaces, missing = {}, dict[str, Message]()
    for state in states_of(names, snapshots=False):
        with skipping(state.name, missing):
            view = view_of(state)
            data = feature(state.name, view.method)
            # Anything else would be compared as if it were a feature of this version.
            if not data or not view.method.fits(data):
                raise SpaceUnavailable("not_extracted")
            spaces[state.name] = SpaceQuery(view, view.method.queries(data), data)
    return Query(spaces, missing)
