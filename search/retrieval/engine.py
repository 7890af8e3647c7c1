"""A query -> a result: ask every space, fuse what they say, admit what could not answer."""

from __future__ import annotations

import logging
from time import perf_counter

from django.conf import settings
from prometheus_client import Histogram

from search.exceptions import BadQuery
from search.features.store import stored_of
from search.methods import ALL, spaces_of
from search.methods.base import Verified
from search.retrieval.fusion import Ranking, fuse, hits_of
from search.retrieval.guard import skipping
from search.retrieval.query import Query, SpaceQuery
from search.types import Confidence, Evidence, Keys, Result

log = logging.getLogger(__name__)

# By key, nearest first: its smallest distance to any of the query's rows, and the number of that row.
Candidates = dict[int, tuple[float, int]]
DEPTH = 100  # candidates that each space gives to fusion, at least
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SECONDS = Histogram("imagesite_search_seconds", "Time until a space has answered", ["space"], buckets=BUCKETS)


def search(query: Query, *, method: str = ALL, limit: int = 20, allowed: Keys | None = None) -> Result:
    """The best ``limit`` hits, of the ``allowed`` (unique, ascending) where they are given.

    Raises UnknownSpace or BadQuery; a space that fails is reported in ``skipped``.
    """
    if not 1 <= limit <= settings.MAX_RESULTS:
        raise BadQuery("limit_out_of_range", most=settings.MAX_RESULTS)
    started = perf_counter()
    spaces, depth = spaces_of(method), max(limit, DEPTH if method == ALL else 0)
    skipped = {space: query.missing[space] for space in spaces if space in query.missing}
    rankings: dict[str, Ranking] = {}
    confidences: dict[str, Confidence] = {}
    for space in spaces:
        if space_query := query.spaces.get(space):
            with skipping(space, skipped), SECONDS.labels(space).time():
                rankings[space] = _ranking(space, space_query, query, depth, allowed)
                confidences[space] = space_query.view.method.confidence
                skipped |= {space: space_query.view.problem} if space_query.view.problem else {}
    hits = fuse(rankings, confidences) if method == ALL else hits_of(rankings.get(method, {}), method)
    return Result(method, round(1000 * (perf_counter() - started), 3), tuple(hits[:limit]), skipped)


def _ranking(space: str, space_query: SpaceQuery, query: Query, depth: int, allowed: Keys | None) -> Ranking:
    """A space's nearest keys, the first of them in the order that its method gives them when it re-ranks."""
    method = space_query.view.method
    candidates = _candidates(space_query, query.exclude, depth, allowed)
    # What is not re-ranked keeps the distance of the index, which is on the same scale.
    verified = {key: Verified(distance) for key, (distance, _) in candidates.items()}
    verified |= _reranked(space, space_query, candidates)
    score = method.word_score if query.words else method.score
    # Ties by key: the same query always gets the same answer.
    ordered = sorted(verified.items(), key=lambda item: (item[1].distance, item[0]))
    return {
        key: Evidence(rank, match.distance, score(match.distance), match.transform)
        for rank, (key, match) in enumerate(ordered, start=1)
    }


def _candidates(space_query: SpaceQuery, exclude: frozenset[int], depth: int, allowed: Keys | None) -> Candidates:
    """The ``depth`` nearest keys to any of the query's rows."""
    candidates: Candidates = {}
    for number, row in enumerate(space_query.rows):
        # The excluded may be among the nearest.
        matches = space_query.view.search(row, depth + len(exclude), allowed)
        for key, distance in zip(matches.keys.tolist(), matches.distances.tolist(), strict=True):
            if key not in exclude and (key not in candidates or distance < candidates[key][0]):
                candidates[key] = distance, number
    return dict(sorted(candidates.items(), key=lambda item: (item[1][0], item[0]))[:depth])


def _reranked(space: str, space_query: SpaceQuery, candidates: Candidates) -> dict[int, Verified]:
    """The first candidates, compared by their stored features, if the method does that."""
    method = space_query.view.method
    keys = list(candidates)[: method.reranked]
    if not keys or space_query.feature is None:
        return {}
    stored = stored_of(keys, space, method.version)
    verified = method.verify(space_query.feature, list(stored.values()), [candidates[key][1] for key in stored])
    return dict(zip(stored, verified, strict=True))
