"""Features that do not fit, models that are missing, and data of older programs."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from django.apps import apps
from django.core.management import call_command

from search.features import backlog
from search.features.extraction import extract
from search.features.versions import state_of
from search.jobs import reindexing
from search.methods import get_method
from search.models import Extraction, Feature, Snapshot, Space
from search.retrieval.engine import search
from search.retrieval.live import forget
from search.retrieval.queries import query_by_image, query_by_pixels
from search.snapshots import build
from tests.support import tiny_encoder
from tests.support.images import scene
from tests.support.versions import COUNT, SPACE, add, everything_is_found, found, version

pytestmark = pytest.mark.django_db


def test_a_feature_of_another_dimension_is_kept_out_of_the_index_and_made_again(root: Path, ids: list[int]) -> None:
    method = get_method(SPACE)
    for wrong in (bytes(2 * method.dimension - 2), b"\xff" * 2 * method.dimension, b"x"):
        Feature.objects.filter(space=SPACE, image_id=ids[2]).update(data=wrong, stale=False)
        Snapshot.objects.all().delete()
        Space.objects.update(snapshot=None)
        forget()
        assert sorted(found(0)) == ids[:2] + ids[3:]
        assert build.build(SPACE)
        assert backlog.pending(state_of(SPACE)) == 1
        assert "being processed" in search(query_by_image(ids[2], SPACE), method=SPACE).skipped[SPACE]
        extract(ids)
        assert everything_is_found(ids)


def test_rows_of_another_dimension_are_an_error_and_never_shift_the_others(root: Path) -> None:
    method = get_method(SPACE)
    with pytest.raises(ValueError, match="32 numbers"):
        method.rows([bytes(62), bytes(66)])


def test_an_encoder_that_gives_another_dimension_than_it_says_stores_nothing(root: Path) -> None:
    tiny_encoder.make(root, seed=1, dimension=32, claimed=16)
    image_id = add(0)
    extract([image_id])
    assert not Feature.objects.filter(space=SPACE).exists()
    assert "(1, 32)" in Extraction.objects.get(pk=image_id).error
    assert Feature.objects.filter(space="phash").count() == 1


def test_the_same_model_made_again_changes_nothing(root: Path, ids: list[int]) -> None:
    before = version()
    tiny_encoder.make(root, seed=0)
    assert backlog.pending(state_of(SPACE)) == 0
    assert not build.due(state_of(SPACE))
    assert version() == before == get_method(SPACE).version


def test_a_version_that_cannot_be_computed_any_more_makes_room_at_once(ids: list[int], settings) -> None:
    """The method itself has changed: what answered needs code that is gone."""
    Space.objects.filter(pk=SPACE).update(version="image-network-of-old")
    Feature.objects.filter(space=SPACE).update(version="image-network-of-old")
    forget()
    assert backlog.pending(state_of(SPACE)) == COUNT
    extract(ids[:2])
    assert search(query_by_pixels(scene(1, (96, 64)), SPACE), method=SPACE).hits[0].key == ids[1]
    extract(ids)
    build.build(SPACE)
    forget()
    assert everything_is_found(ids)


def test_data_of_the_time_before_versions_goes_on_answering(ids: list[int]) -> None:
    before = Space.objects.get(pk=SPACE).version
    Space.objects.update(version="")
    forget()
    assert everything_is_found(ids)
    importlib.import_module("search.migrations.0002_space_versions").take_over_from_snapshots(apps, None)
    assert Space.objects.get(pk=SPACE).version == before
    assert Space.objects.get(pk="color").version == ""


def test_without_a_model_nothing_waits_and_everything_says_so(root: Path, settings, worker: Callable[[], None]) -> None:
    settings.NEURAL_ENCODER = "resnet50"
    ids = [add(seed) for seed in range(2)]
    job = reindexing.start_job(spaces=[])
    worker()
    job.refresh_from_db()
    assert (job.state, job.error) == ("done", "")
    assert backlog.pending(state_of(SPACE)) == 0
    assert state_of(SPACE).targets == []
    result = search(query_by_pixels(scene(1, (96, 64))))
    assert result.hits[0].key == ids[1]
    assert set(result.skipped) == {"neural", "semantic"}
    assert "fetch_models resnet50" in result.skipped["neural"]
    assert "fetch_models resnet50" in search(query_by_image(ids[0])).skipped["neural"]
    for command in ("build_index", "check_index", "extract_features"):
        call_command(command)


def test_a_model_that_comes_later_is_used_without_a_restart(root: Path, settings, worker: Callable[[], None]) -> None:
    settings.NEURAL_ENCODER = "later"
    ids = [add(seed) for seed in range(3)]
    worker()
    assert SPACE in search(query_by_pixels(scene(1, (96, 64)), SPACE), method=SPACE).skipped
    tiny_encoder.make(root, seed=5, name="later")
    worker()
    assert everything_is_found(ids)


def test_two_versions_never_have_a_distance(root: Path, ids: list[int]) -> None:
    """Vectors of one encoder are not even near in the space of another, so a mix would show."""
    tiny_encoder.make(root, seed=1)
    pixels = scene(0, (96, 64))
    new, old = get_method(SPACE), state_of(SPACE).serving
    apart = np.linalg.norm(new.rows([new.extract(pixels)]) - old.rows([old.extract(pixels)]))
    assert apart > 1
    assert found(0)[0] == ids[0]
