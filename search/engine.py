"""A query -> a result: ask every space, fuse what they say, admit what could not answer."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from time import perf_counter

from django.conf import settings

from search.exceptions import BadQuery, SpaceUnavailable
from search.fusion import Ranking, alone, fuse
from search.live import live
from search.methods import METHODS, get_method
from search.models import Feature
from search.types import Evidence, Pixels, Query, Result

log = logging.getLogger(__name__)

ALL = "all"
DEPTH = 100  # neighbours each space gives to fusion, at least


def spaces_of(method: str) -> tuple[str, ...]:
    """The spaces that a ``method`` parameter names. Raises UnknownSpace."""
    if method == ALL:
        return tuple(METHODS)
    get_method(method)
    return (method,)


def query_by_pixels(pixels: Pixels, method: str = ALL) -> Query:
    """A query by a picture that need not be stored."""
    rows = {}
    for space in spaces_of(method):
        way = get_method(space)
        rows[space] = way.queries(way.extract(pixels))
    return Query(rows)


def query_by_image(image_id: int, method: str = ALL) -> Query:
    """A query by a stored picture, which is no answer to itself."""
    spaces = spaces_of(method)
    features = Feature.objects.filter(image_id=image_id, space__in=spaces)
    stored = {
        feature.space_id: bytes(feature.data)
        for feature in features
        if feature.data is not None and feature.version == get_method(feature.space_id).version
    }
    return Query(
        rows={space: get_method(space).queries(data) for space, data in stored.items()},
        missing={space: "This picture is still being worked on." for space in spaces if space not in stored},
        exclude=frozenset([image_id]),
    )


def search(query: Query, *, method: str = ALL, limit: int = 20) -> Result:
    """The best ``limit`` hits. Raises UnknownSpace or BadQuery; a space that fails is reported in ``skipped``."""
    if not 1 <= limit <= settings.MAX_RESULTS:
        raise BadQuery(f"limit must be between 1 and {settings.MAX_RESULTS}.")
    started = perf_counter()
    rankings, skipped = _ask_all(query, spaces_of(method), max(limit, DEPTH if method == ALL else 0))
    hits = fuse(rankings) if method == ALL else alone(rankings.get(method, {}), method)
    return Result(method, round(1000 * (perf_counter() - started), 3), tuple(hits[:limit]), skipped)


def _ask_all(query: Query, spaces: Iterable[str], depth: int) -> tuple[dict[str, Ranking], dict[str, str]]:
    rankings: dict[str, Ranking] = {}
    skipped = dict(query.missing)
    for space in spaces:
        if space in skipped:
            continue
        try:
            rankings[space], problem = _ask(space, query, depth)
        except SpaceUnavailable as error:
            skipped[space] = str(error)
        except Exception:  # one broken space must not take the others with it
            log.exception("Space %s failed", space)
            skipped[space] = "This way of searching failed; the log says why."
        else:
            skipped |= {space: problem} if problem else {}
    return rankings, skipped


def _ask(space: str, query: Query, depth: int) -> tuple[Ranking, str]:
    """A space's ranking of the nearest keys, each at its smallest distance to any of the query's rows."""
    view = live(space).view()
    method = get_method(space)
    nearest: dict[int, float] = {}
    for row in query.rows[space]:
        matches = view.search(row, depth + len(query.exclude))
        for key, distance in zip(matches.keys.tolist(), matches.distances.tolist(), strict=True):
            if key not in query.exclude and distance < nearest.get(key, float("inf")):
                nearest[key] = distance
    ordered = sorted(nearest.items(), key=lambda item: (item[1], item[0]))[:depth]
    ranking = {
        key: Evidence(rank, distance, method.score(distance)) for rank, (key, distance) in enumerate(ordered, start=1)
    }
    return ranking, view.problem
