"""Rankings of several spaces -> one ranking by the evidence in them. Pure functions, no Django."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from math import log, prod, sqrt
from statistics import median

from search.types import Confidence, Evidence, Hit

Ranking = Mapping[int, Evidence]


def hits_of(ranking: Ranking, space: str) -> list[Hit]:
    """The hits of one space, nearest first."""
    ordered = sorted(ranking.items(), key=lambda item: item[1].rank)
    return [Hit(key, hit.score, hit.distance, {space: hit}) for key, hit in ordered]


def fuse(rankings: Mapping[str, Ranking], confidences: Mapping[str, Confidence]) -> list[Hit]:
    """Noisy-or (Pearl 1988): a picture is doubted as far as all spaces doubt it. Best first, ties by key.

    A space that does not know a picture, or finds no likeness at all (score 0), leaves doubt as it is, so what a
    space is blind to cannot push the right picture down. Score: 1 less the product of doubts. ``confidences`` are
    those of the spaces' methods.
    """
    doubts: defaultdict[int, list[float]] = defaultdict(list)
    evidence: defaultdict[int, dict[str, Evidence]] = defaultdict(dict)
    weights = relative({space: confidences[space].weight for space, ranking in rankings.items() if ranking})
    for space, ranking in rankings.items():
        usual = background(ranking.values())
        for key, hit in ranking.items():
            evidence[key][space] = hit
            if hit.score > 0:
                least = confidences[space].least_doubt
                doubts[key].append(max(least, doubt(hit, usual)) ** weights[space])
    ordered = sorted(doubts, key=lambda key: (sum(map(log, sorted(doubts[key]))), key))
    return [Hit(key, 1.0 - prod(doubts[key]), prod(doubts[key]), evidence[key]) for key in ordered]


def relative(weights: Mapping[str, float]) -> dict[str, float]:
    """The weights divided by the largest of them, so that one space alone counts fully."""
    most = max(weights.values(), default=1.0)
    return {space: weight / most for space, weight in weights.items()}


def background(ranking: Iterable[Evidence]) -> float:
    """The median distance of what a space lists: most of that is there by chance."""
    return median([hit.distance for hit in ranking] or [0.0])


def doubt(hit: Evidence, usual: float) -> float:
    """0 to 1, 1 for a hit that says nothing: the geometric mean of two doubts.

    How unlike the picture is by the space's own measure, and how near it is for a neighbour of this query. The first
    alone takes the kind of thing for the thing; the second alone knows nothing where there are only a few pictures.
    """
    unlike = 1.0 - hit.score
    ordinary = min(1.0, hit.distance / usual) if usual > 0 else 1.0
    return sqrt(unlike * ordinary)
