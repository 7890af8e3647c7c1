"""Rankings of several spaces -> one ranking by the evidence in them. Pure functions, no Django."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from math import log, prod, sqrt
from statistics import median

from search.types import Evidence, Hit

# What a space can do at most: two pictures may have the same colours, but hardly the same keypoints at the same
# places. All others together cannot outweigh one of these.
LEAST_DOUBT = 0.03
PROOF = {"phash": 1e-4, "local": 1e-5}
# Whoever knows a kind of thing says less of which picture it is. Two that see through the same network repeat each
# other. Over 36 edits of 40 pictures: with 1 for all, 0.90 of the crops to 12% come first; with these, 0.95.
WEIGHTS = {"neural": 0.7, "semantic": 0.3}

Ranking = Mapping[int, Evidence]


def alone(ranking: Ranking, space: str) -> list[Hit]:
    """The hits of one space, nearest first."""
    ordered = sorted(ranking.items(), key=lambda item: item[1].rank)
    return [Hit(key, found.score, found.distance, {space: found}) for key, found in ordered]


def fuse(rankings: Mapping[str, Ranking]) -> list[Hit]:
    """Noisy-or (Pearl 1988): a picture is doubted as far as all spaces doubt it. Best first, ties by key.

    A space that does not know a picture, or sees no likeness at all (score 0), leaves doubt as it is, so what a
    space is blind to cannot push the right picture down. Score: 1 less the product of doubts.
    """
    doubts: defaultdict[int, list[float]] = defaultdict(list)
    evidence: defaultdict[int, dict[str, Evidence]] = defaultdict(dict)
    weights = relative([space for space, ranking in rankings.items() if ranking])
    for space, ranking in rankings.items():
        usual = background(ranking.values())
        for key, found in ranking.items():
            evidence[key][space] = found
            if found.score > 0:
                least = PROOF.get(space, LEAST_DOUBT)
                doubts[key].append(max(least, doubt(found, usual)) ** weights[space])
    ordered = sorted(doubts, key=lambda key: (sum(map(log, sorted(doubts[key]))), key))
    return [Hit(key, 1.0 - prod(doubts[key]), prod(doubts[key]), evidence[key]) for key in ordered]


def relative(spaces: Iterable[str]) -> dict[str, float]:
    """What the word of each of these is worth, 1 for the most."""
    weights = {space: WEIGHTS.get(space, 1.0) for space in spaces}
    most = max(weights.values(), default=1.0)
    return {space: weight / most for space, weight in weights.items()}


def background(ranking: Iterable[Evidence]) -> float:
    """The distance of what a space lists in the middle: most of that is there by chance."""
    return median([found.distance for found in ranking] or [0.0])


def doubt(found: Evidence, usual: float) -> float:
    """0 to 1: how little a space's word says. The mean, of logarithms, of two doubts:

    how unlike the picture is by the space's own measure, and how near it is for a neighbour of this query. The first
    alone takes the kind of thing for the thing; the second alone knows nothing where only a few pictures are.
    """
    unlike = 1.0 - found.score
    ordinary = min(1.0, found.distance / usual) if usual > 0 else 1.0
    return sqrt(unlike * ordinary)
