"""A query -> a result: ask every space, fuse what they say, admit what could not answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter

from django.conf import settings
from django.db import InterfaceError, OperationalError
from prometheus_client import Histogram

from search.exceptions import BadQuery, SpaceUnavailable
from search.features import features_of, stored_of
from search.fusion import Ranking, alone, fuse
from search.live import View, live
from search.methods import METHODS, get_method
from search.methods.base import Method, Picture, Verified
from search.spaces import rows_of
from search.types import Evidence, Keys, Pixels, Query, Result

log = logging.getLogger(__name__)

# By key, in order: its smallest distance to any of the query's rows, and the number of that row.
Nearest = dict[int, tuple[float, int]]

ALL = "all"
DEPTH = 100  # neighbours each space gives to fusion, at least
FAILED = "This way of searching failed; the log says why."
AT_WORK = "This picture is still being worked on."
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SECONDS = Histogram("imagesite_search_seconds", "Time until a space has answered", ["space"], buckets=BUCKETS)


def spaces_of(method: str) -> tuple[str, ...]:
    """The spaces that a ``method`` parameter names. Raises UnknownSpace."""
    if method == ALL:
        return tuple(METHODS)
    get_method(method)
    return (method,)


def query_by_pixels(pixels: Pixels, method: str = ALL) -> Query:
    """A query by a picture that need not be stored."""
    picture = Picture(pixels)
    return _query(spaces_of(method), lambda _, way: way.extract_many([picture])[0])


def query_by_image(image_id: int, method: str = ALL) -> Query:
    """A query by a stored picture, which is no answer to itself."""
    asked = spaces_of(method)
    return replace(query_by_features(features_of(image_id, asked), method), exclude=frozenset([image_id]))


def query_by_features(features: Mapping[tuple[str, str], bytes], method: str = ALL) -> Query:
    """A query by features that were extracted before, by (space, version); a space that has another now is missing."""
    return _query(spaces_of(method), lambda space, way: features.get((space, way.version), b""))


def query_by_text(text: str, method: str = ALL) -> Query:
    """A query by words, for the spaces that know words. Raises BadQuery if the one that is named does not."""
    asked = [space for space in spaces_of(method) if get_method(space).words]
    if not asked:
        raise BadQuery(f"“{METHODS[method][0]}” knows no words. Search by meaning, or by a picture.")
    rows, views, missing = {}, {}, dict[str, str]()
    for space in asked:
        with _admitting(space, missing):
            view = live(space).view()
            rows[space], views[space] = view.method.read(text), view
    return Query(rows, missing, views=views, words=True)


def search(query: Query, *, method: str = ALL, limit: int = 20, allowed: Keys | None = None) -> Result:
    """The best ``limit`` hits, of the ``allowed`` (unique, ascending) where they are given.

    Raises UnknownSpace or BadQuery; a space that fails is reported in ``skipped``.
    """
    if not 1 <= limit <= settings.MAX_RESULTS:
        raise BadQuery(f"limit must be between 1 and {settings.MAX_RESULTS}.")
    started = perf_counter()
    skipped = {space: query.missing[space] for space in spaces_of(method) if space in query.missing}
    rankings: dict[str, Ranking] = {}
    for space in spaces_of(method):
        if space in query.rows:
            with _admitting(space, skipped), SECONDS.labels(space).time():
                view = query.views.get(space) or live(space).view()
                rankings[space] = _ranking(view, space, query, max(limit, DEPTH if method == ALL else 0), allowed)
                skipped |= {space: view.problem} if view.problem else {}
    hits = fuse(rankings) if method == ALL else alone(rankings.get(method, {}), method)
    return Result(method, round(1000 * (perf_counter() - started), 3), tuple(hits[:limit]), skipped)


@contextmanager
def _admitting(space: str, skipped: dict[str, str]) -> Iterator[None]:
    """One space that cannot answer, or is broken, must not take the others with it."""
    try:
        yield
    except SpaceUnavailable as error:
        skipped[space] = str(error)
    except (OperationalError, InterfaceError):  # the database is away, for all spaces
        raise
    except Exception:
        log.exception("Space %s failed", space)
        skipped[space] = FAILED


def _query(asked: Iterable[str], feature: Callable[[str, Method], bytes]) -> Query:
    """A query by features, each of the version that answers in this process now."""
    rows, stored, views, missing = {}, {}, {}, dict[str, str]()
    for space, row in rows_of(asked).items():
        with _admitting(space, missing):
            view = live(space).view(row)
            way = view.method
            data = feature(space, way)
            if not data or not way.fits(data):
                raise SpaceUnavailable(AT_WORK)
            rows[space], stored[space], views[space] = way.queries(data), data, view
    return Query(rows, missing, stored=stored, views=views)


def _ranking(view: View, space: str, query: Query, depth: int, allowed: Keys | None) -> Ranking:
    """A space's nearest keys; those that its method looks at again are ranked by what it sees then."""
    method = view.method
    nearest = _nearest(view, space, query, depth, allowed)
    found = {key: Verified(distance) for key, (distance, _) in nearest.items()}
    found |= _seen_again(method, space, query, nearest)
    score = method.word_score if query.words else method.score
    ordered = sorted(found.items(), key=lambda item: (item[1].distance, item[0]))
    return {
        key: Evidence(rank, one.distance, score(one.distance), one.transform)
        for rank, (key, one) in enumerate(ordered, start=1)
    }


def _nearest(view: View, space: str, query: Query, depth: int, allowed: Keys | None) -> Nearest:
    nearest: Nearest = {}
    for form, row in enumerate(query.rows[space]):
        matches = view.search(row, depth + len(query.exclude), allowed)
        for key, distance in zip(matches.keys.tolist(), matches.distances.tolist(), strict=True):
            if key not in query.exclude and (key not in nearest or distance < nearest[key][0]):
                nearest[key] = distance, form
    return dict(sorted(nearest.items(), key=lambda item: (item[1][0], item[0]))[:depth])


def _seen_again(method: Method, space: str, query: Query, nearest: Nearest) -> dict[int, Verified]:
    """The first of them, as the method sees them when it looks again."""
    keys = list(nearest)[: method.verified]
    if not keys or space not in query.stored:
        return {}
    stored = stored_of(keys, space, method.version)
    seen = method.verify(query.stored[space], list(stored.values()), [nearest[key][1] for key in stored])
    return dict(zip(stored, seen, strict=True))
