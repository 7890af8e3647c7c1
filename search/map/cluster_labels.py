"""Clusters on the map and their labels: words that their pictures have more often than others, or that a joint space
of pictures and words has for them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from django.db.models import F
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter
from scipy.spatial import cKDTree

from search.collection import Image
from search.map.vocabulary import nearest_words

LEVELS = ((10, 16), (24, 60))  # cells of the grid along a side, most clusters; coarse and fine
FEWEST = 3  # pictures with the same word
SHARE = 0.2  # of a cluster that has the word, at least
MAJORITY = 0.5  # of a cluster: then a tag goes before a word of the joint space
TOO_COMMON = 0.8  # of all pictures: such a word sets no cluster apart
LOWEST_SCORE = 0.1
CHUNK = 5_000
# Words of titles that say nothing of the picture.
STOP_WORDS = {"the", "and", "with", "for", "image", "img", "photo", "picture", "copy", "jpg", "png", "dsc"}

Cluster = Sequence[int]  # ids of pictures
WordFinder = Callable[[Sequence[Cluster]], list[str]]


@dataclass(frozen=True, slots=True)
class Label:
    """A cluster's label at its centre; level 0 is for the whole map, 1 for a part."""

    text: str
    x: float
    y: float
    count: int
    level: int


def labels(ids: NDArray[np.int64], centres: NDArray[np.floating]) -> list[dict[str, Any]]:
    """Labels of the clusters on a map of pictures at ``(n, 2)``, the largest first, none twice on a level."""
    if len(ids) < FEWEST:
        return []
    words = words_of(ids.tolist())
    result: list[Label] = []
    for level, (cells, most) in enumerate(LEVELS):
        spots, members = find_clusters(centres, cells, most)
        texts = label_clusters([ids[rows].tolist() for rows in members], words, nearest_words)
        labelled = [
            Label(text, *spot, len(rows), level) for text, spot, rows in zip(texts, spots, members, strict=True) if text
        ]
        result += _without_repeats(labelled)
    return [asdict(label) for label in result]


def find_clusters(
    centres: NDArray[np.floating], cells: int, most: int
) -> tuple[list[tuple[float, float]], list[NDArray[np.int64]]]:
    """Middles of the densest spots, and the rows of each: those nearest to its peak and within a cell of it.

    Peaks are the local maxima of a Gaussian density on a grid of ``4 * cells`` a side.
    """
    low, size = centres.min(axis=0), float(np.ptp(centres, axis=0).max()) or 1.0
    side = 4 * cells
    at = np.minimum((centres - low) / size * side, side - 1).astype(int)
    counts = np.zeros((side, side))
    np.add.at(counts, (at[:, 0], at[:, 1]), 1)
    density = gaussian_filter(counts, 1.5, mode="constant")
    tops = np.argwhere((density == maximum_filter(density, 5)) & (density > density.max() * 0.05))
    tops = tops[np.argsort(-density[tops[:, 0], tops[:, 1]], kind="stable")][:most]
    peaks = low + (tops + 0.5) / side * size
    distances, nearest = cKDTree(peaks).query(centres)
    near = distances < size / cells
    members = [np.flatnonzero((nearest == peak) & near) for peak in range(len(peaks))]
    middles = [np.median(centres[rows], axis=0) if len(rows) else peaks[i] for i, rows in enumerate(members)]
    return [(float(x), float(y)) for x, y in middles], members


def words_of(ids: Sequence[int]) -> dict[int, set[str]]:
    """Words of each picture: its tags; without tags, the words of its title."""
    words: dict[int, set[str]] = {key: set() for key in ids}
    for start in range(0, len(ids), CHUNK):
        part = Image.objects.filter(pk__in=ids[start : start + CHUNK])
        for key, tag in part.filter(tags__isnull=False).values_list("pk", F("tags__name")):
            words[key].add(tag)
        for key, title in part.filter(tags__isnull=True).values_list("pk", "title"):
            words[key] |= {word for word in title.lower().replace("_", " ").split() if _says_something(word)}
    return words


def _says_something(word: str) -> bool:
    return len(word) > 2 and word.isalpha() and word not in STOP_WORDS


def label_clusters(clusters: Sequence[Cluster], words: Mapping[int, set[str]], find_words: WordFinder) -> list[str]:
    """A label for each cluster, "" where none stands out.

    The word that most of its pictures have; or else the word of ``find_words``; or else a word that some have.
    """
    everywhere = Counter(word for of_image in words.values() for word in of_image)
    written = [_best_word(cluster, words, everywhere) for cluster in clusters]
    return [
        word if word and (share >= MAJORITY or not joint) else joint
        for (word, share), joint in zip(written, find_words(clusters), strict=True)
    ]


def _best_word(cluster: Cluster, words: Mapping[int, set[str]], everywhere: Mapping[str, int]) -> tuple[str, float]:
    """The word with the largest share of the cluster times the log of its lift, and that share; "", 0 for none."""
    counts = Counter(word for key in cluster for word in words.get(key, ()))
    scored = {
        word: count / len(cluster) * math.log(count / len(cluster) * len(words) / everywhere[word])
        for word, count in counts.items()
        if count >= max(min(FEWEST, len(cluster)), SHARE * len(cluster)) and everywhere[word] < TOO_COMMON * len(words)
    }
    best = max(scored, key=lambda word: (scored[word], word), default="")
    return (best, counts[best] / len(cluster)) if scored.get(best, 0) > LOWEST_SCORE else ("", 0.0)


def _without_repeats(labels: list[Label]) -> list[Label]:
    largest: dict[str, Label] = {}
    for label in sorted(labels, key=lambda label: -label.count):
        largest.setdefault(label.text, label)
    return list(largest.values())
