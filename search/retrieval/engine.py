"""A query -> a result: ask every space, fuse what they say, admit what could not answer."""

from __future__ import annotations

import logging
from time import perf_counter

from django.conf import settings
from prometheus_client import Histogram

from search.exceptions import BadQuery
from search.features.store import stored_of
from search.methods import ALL, spaces_of
from search.methods.base import Method, Verified
from search.retrieval.fusion import Ranking, alone, fuse
from search.retrieval.guard import admitting
from search.retrieval.live import View, live
from search.retrieval.query import Query
from search.types import Evidence, Keys, Result

log = logging.getLogger(__name__)

# By key, in order: its smallest distance to any of the query's rows, and the number of that row.
Nearest = dict[int, tuple[float, int]]
DEPTH = 100  # neighbours each space gives to fusion, at least
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SECONDS = Histogram("imagesite_search_seconds", "Time until a space has answered", ["space"], buckets=BUCKETS)


def search(query: Query, *, method: str = ALL, limit: int = 20, allowed: Keys | None = None) -> Result:
    """The best ``limit`` hits, of the ``allowed`` (unique, ascending) where they are given.

    Raises UnknownSpace or BadQuery; a space that fails is reported in ``skipped``.
    """
    if not 1 <= limit <= settings.MAX_RESULTS:
        raise BadQuery("limit_out_of_range", most=settings.MAX_RESULTS)
    started = perf_counter()
    skipped = {space: query.missing[space] for space in spaces_of(method) if space in query.missing}
    rankings: dict[str, Ranking] = {}
    for space in spaces_of(method):
        if space in query.rows:
            with admitting(space, skipped), SECONDS.labels(space).time():
                view = query.views.get(space) or live(space).view()
                rankings[space] = _ranking(view, space, query, max(limit, DEPTH if method == ALL else 0), allowed)
                skipped |= {space: view.problem} if view.problem else {}
    hits = fuse(rankings) if method == ALL else alone(rankings.get(method, {}), method)
    return Result(method, round(1000 * (perf_counter() - started), 3), tuple(hits[:limit]), skipped)


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
