"""The words on the map."""

import numpy as np
import pytest

from search.map import cluster_labels
from tests.support.pages import add

pytestmark = pytest.mark.django_db


def test_clusters_are_labelled_by_what_sets_them_apart(worker):
    random = np.random.default_rng(0)
    images = [add(seed, tags=["everything", "cats" if seed < 10 else "dogs"]) for seed in range(20)]
    centres = random.normal(size=(20, 2)) + np.array([[0, 0]] * 10 + [[60, 0]] * 10)
    labels = cluster_labels.labels(np.array([image.pk for image in images]), centres)
    coarse = {label["text"]: label for label in labels if label["level"] == 0}
    assert set(coarse) == {"cats", "dogs"}
    assert coarse["cats"]["x"] < 10 < 50 < coarse["dogs"]["x"]


def test_a_word_that_few_have_labels_nothing():
    words = {key: {"rare"} if key == 0 else set() for key in range(10)} | {key: {"other"} for key in range(10, 20)}
    nothing = cluster_labels.label_clusters([list(range(10))], words, lambda clusters: [""])
    labels = cluster_labels.label_clusters(
        [list(range(10)), list(range(10, 20))], words, lambda clusters: ["ship", "ship"]
    )
    assert nothing == [""]
    assert labels == ["ship", "other"]
