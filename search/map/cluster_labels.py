"""Groups on the map and what they are called: by the words that their pictures have more often than others, or by
those that a joint space of pictures and words has for them."""

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

GROUPS = ((10, 16), (24, 60))  # cells of the grid along a side, most groups; coarse and fine
FEWEST = 3  # pictures with the same word
SHARE = 0.2  # of a group that has the word, at least
MOST = 0.5  # with so much of a group, what people have written goes before what a model sees
CHUNK = 5_000
NO_NAMES = {"the", "and", "with", "for", "image", "img", "photo", "picture", "copy", "jpg", "png", "dsc"}


Group = Sequence[int]  # ids of pictures


@dataclass(frozen=True, slots=True)
class Label:
    """A group's name at its densest spot; level 0 is for the whole map, 1 for a part."""

    text: str
    x: float
    y: float
    count: int
    level: int


def labels(ids: NDArray[np.int64], places: NDArray[np.floating]) -> list[dict[str, Any]]:
    """Names of the groups on a map, the largest first, none twice on a level."""
    if len(ids) < FEWEST:
        return []
    words = words_of(ids.tolist())
    found: list[Label] = []
    for level, (cells, most) in enumerate(GROUPS):
        peaks, members = groups(places, cells, most)
        names = name_groups([ids[one].tolist() for one in members], words, nearest_words)
        named = [Label(name, *peak, len(one), level) for name, peak, one in zip(names, peaks, members, strict=True)]
        found += _without_repeats([label for label in named if label.text])
    return [asdict(label) for label in found]


def groups(
    places: NDArray[np.floating], cells: int, most: int
) -> tuple[list[tuple[float, float]], list[NDArray[np.int64]]]:
    """Peaks of the density, and which rows belong to each: those that are nearest to it, and not far away."""
    low, size = places.min(axis=0), float(np.ptp(places, axis=0).max()) or 1.0
    fine = 4 * cells
    at = np.minimum((places - low) / size * fine, fine - 1).astype(int)
    counts = np.zeros((fine, fine))
    np.add.at(counts, (at[:, 0], at[:, 1]), 1)
    density = gaussian_filter(counts, 1.5, mode="constant")
    tops = np.argwhere((density == maximum_filter(density, 5)) & (density > density.max() * 0.05))
    tops = tops[np.argsort(-density[tops[:, 0], tops[:, 1]], kind="stable")][:most]
    peaks = low + (tops + 0.5) / fine * size
    distances, nearest = cKDTree(peaks).query(places)
    near = distances < size / cells
    members = [np.flatnonzero((nearest == i) & near) for i in range(len(peaks))]
    centres = [np.median(places[one], axis=0) if len(one) else peak for one, peak in zip(members, peaks, strict=True)]
    return [(float(x), float(y)) for x, y in centres], members


def words_of(ids: Sequence[int]) -> dict[int, set[str]]:
    """What is written of the pictures: their tags; for those without, the words of their titles."""
    tags: dict[int, set[str]] = {key: set() for key in ids}
    for start in range(0, len(ids), CHUNK):
        part = Image.objects.filter(pk__in=ids[start : start + CHUNK])
        for key, tag in part.filter(tags__isnull=False).values_list("pk", F("tags__name")):
            tags[key].add(tag)
        for key, title in part.filter(tags__isnull=True).values_list("pk", "title"):
            tags[key] |= {word for word in title.lower().replace("_", " ").split() if _telling(word)}
    return tags


def _telling(word: str) -> bool:
    return len(word) > 2 and word.isalpha() and word not in NO_NAMES


def name_groups(
    members: Sequence[Group],
    words: Mapping[int, set[str]],
    seen: Callable[[Sequence[Group]], list[str]],
) -> list[str]:
    """A name for each group, "" where none stands out.

    What most of a group's pictures are tagged with; or what ``seen`` says of it; or what some are tagged with.
    """
    everywhere = Counter(word for one in words.values() for word in one)
    written = [_best_word(group, words, everywhere) for group in members]
    return [
        word if word and (share >= MOST or not saw) else saw
        for (word, share), saw in zip(written, seen(members), strict=True)
    ]


def _best_word(group: Sequence[int], words: Mapping[int, set[str]], everywhere: Mapping[str, int]) -> tuple[str, float]:
    """The word with the largest share of the group, times how much more often it is there than everywhere."""
    counts = Counter(word for key in group for word in words.get(key, ()))
    scored = {
        word: count / len(group) * math.log(count / len(group) * len(words) / everywhere[word])
        for word, count in counts.items()
        if count >= max(min(FEWEST, len(group)), SHARE * len(group)) and everywhere[word] < 0.8 * len(words)
    }
    best = max(scored, key=lambda word: (scored[word], word), default="")
    return (best, counts[best] / len(group)) if scored.get(best, 0) > 0.1 else ("", 0.0)


def _without_repeats(found: list[Label]) -> list[Label]:
    largest: dict[str, Label] = {}
    for label in sorted(found, key=lambda one: -one.count):
        largest.setdefault(label.text, label)
    return list(largest.values())
