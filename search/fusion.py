"""Rankings of several spaces -> one ranking. Pure functions, no Django."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from search.types import Evidence, Hit

K = 60  # damps the lead of the first ranks; the value of the paper

Ranking = Mapping[int, Evidence]


def alone(ranking: Ranking, space: str) -> list[Hit]:
    """The hits of one space, nearest first."""
    ordered = sorted(ranking.items(), key=lambda item: item[1].rank)
    return [Hit(key, found.score, found.distance, {space: found}) for key, found in ordered]


def fuse(rankings: Mapping[str, Ranking]) -> list[Hit]:
    """Reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009), best first, ties by key.

    A rank counts only where its space sees a likeness at all (score above 0), so a space that is blind to what
    was done to a picture cannot push chance neighbours up. Score: share of the most that all spaces could give.
    """
    votes: defaultdict[int, float] = defaultdict(float)
    evidence: defaultdict[int, dict[str, Evidence]] = defaultdict(dict)
    for space, ranking in rankings.items():
        for key, found in ranking.items():
            evidence[key][space] = found
            votes[key] += (K + 1) / (K + found.rank) if found.score > 0 else 0.0
    most = max(len(rankings), 1)
    scores = {key: min(1.0, vote / most) for key, vote in votes.items() if vote > 0}
    ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return [Hit(key, score, 1.0 - score, evidence[key]) for key, score in ordered]
