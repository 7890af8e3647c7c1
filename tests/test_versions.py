"""A space gets another model: the old version answers until the new one is complete, and can answer again."""

from __future__ import annotations

import importlib
import json
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gallery.services import add_image, delete_images
from search.exceptions import SearchError
from search.features import backlog, store
from search.features import versions as features_versions
from search.features.extraction import extract
from search.jobs import reindexing
from search.methods import get_method
from search.models import Extraction, Feature, Job, Snapshot, Space
from search.retrieval.engine import search
from search.retrieval.live import forget, live
from search.retrieval.queries import query_by_image, query_by_pixels
from search.snapshots import build, retention
from tests import tiny_encoder
from tests.drawings import encode, scene
from tests.test_faults import site

__all__ = ["site"]  # fixture
pytestmark = pytest.mark.django_db
SPACE = "neural"
COUNT = 6


@pytest.fixture
def root(settings, tmp_path: Path) -> Path:
    """A folder in which ``neural`` has a tiny encoder and no other space has one."""
    settings.MODELS_ROOT = tmp_path / "models"
    settings.NEURAL_ENCODER = "tiny"
    tiny_encoder.make(settings.MODELS_ROOT, seed=0)
    return settings.MODELS_ROOT


@pytest.fixture
def ids(root: Path) -> list[int]:
    """Pictures that are extracted and indexed with the first encoder."""
    added = [add(seed) for seed in range(COUNT)]
    extract(added)
    build.build(SPACE)
    return added


def add(seed: int) -> int:
    return add_image(data=encode(scene(seed, (96, 64)), "PNG")).image.pk


def version() -> str:
    return Space.objects.get(pk=SPACE).version


def found(seed: int) -> list[int]:
    result = search(query_by_pixels(scene(seed, (96, 64)), SPACE), method=SPACE)
    assert not result.skipped
    return [hit.key for hit in result.hits]


def everything_is_found(ids: list[int]) -> bool:
    return all(found(seed)[0] == ids[seed] and sorted(found(seed)) == ids for seed in range(len(ids)))


def test_the_old_version_answers_while_the_new_one_is_half_made(root: Path, ids: list[int]) -> None:
    old = version()
    tiny_encoder.make(root, seed=1)
    assert backlog.pending(SPACE) == COUNT
    extract(ids[:3])
    assert backlog.pending(SPACE) == COUNT - 3
    assert not build.due(SPACE)
    build.build(SPACE)
    for fresh_process in (False, True):
        if fresh_process:
            forget()
        assert everything_is_found(ids)
        assert live(SPACE).view().method.version == version() == old
    assert search(query_by_image(ids[5], SPACE), method=SPACE).hits


def test_the_new_version_takes_over_when_it_has_everything(root: Path, ids: list[int]) -> None:
    old = version()
    tiny_encoder.make(root, seed=1, dimension=16)
    extract(ids)
    assert version() == old
    assert build.due(SPACE)
    fresh = build.build(SPACE)
    assert fresh
    assert version() == fresh.version == get_method(SPACE).version != old
    forget()
    assert everything_is_found(ids)
    assert live(SPACE).view().index.dimension == 16
    assert (backlog.pending(SPACE), build.behind(SPACE), build.due(SPACE)) == (0, False, False)


def test_pictures_that_come_during_the_change_are_found_by_both(root: Path, ids: list[int]) -> None:
    tiny_encoder.make(root, seed=1)
    ids.append(add(COUNT))
    extract(ids[-1:])
    assert Feature.objects.filter(space=SPACE, image_id=ids[-1]).count() == 2
    assert everything_is_found(ids)
    extract(ids)
    build.build(SPACE)
    forget()
    assert everything_is_found(ids)


def test_pictures_deleted_during_the_change_are_found_by_neither(root: Path, ids: list[int]) -> None:
    tiny_encoder.make(root, seed=1)
    extract(ids)
    delete_images(ids=ids[4:])
    assert sorted(found(0)) == ids[:4]
    build.build(SPACE)
    forget()
    assert sorted(found(0)) == ids[:4]
    build.rollback(SPACE, "Ann")
    forget()
    assert sorted(found(0)) == ids[:4]


def test_the_switch_is_one_update(root: Path, ids: list[int]) -> None:
    tiny_encoder.make(root, seed=1)
    extract(ids)
    with CaptureQueriesContext(connection) as told:
        build.build(SPACE)
    updates = [one["sql"] for one in told if one["sql"].startswith('UPDATE "search_space"')]
    assert len(updates) == 1
    assert '"version"' in updates[0]
    assert '"snapshot_id"' in updates[0]


def test_a_picture_stored_by_the_old_version_alone_holds_the_switch_back(
    root: Path, ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that has not yet seen the new model stores one while the index is being built."""
    old = version()
    row = Feature.objects.get(space=SPACE, image_id=ids[0])
    tiny_encoder.make(root, seed=1)
    extract(ids)
    late = add(COUNT)
    write = build.write_folder

    def slow_write(*arguments: object, **named: object) -> Path:
        store.store([store.NewFeature(late, SPACE, old, bytes(row.data))])
        return write(*arguments, **named)

    monkeypatch.setattr(build, "write_folder", slow_write)
    build.build(SPACE)
    monkeypatch.undo()
    assert version() == old
    assert late in found(0)
    extract([late])
    build.build(SPACE)
    forget()
    assert version() != old
    assert found(COUNT)[0] == late


def test_a_picture_that_cannot_be_extracted_does_not_hold_the_switch_back(root: Path, ids: list[int]) -> None:
    old = version()
    tiny_encoder.make(root, seed=1)
    extract(ids[1:])
    Extraction.objects.update_or_create(
        pk=ids[0], defaults={"tries": backlog.MAX_TRIES, "enqueued_at": "2026-01-01T00:00:00Z"}
    )
    assert build.build(SPACE)
    assert version() != old


@pytest.mark.django_db(transaction=True)
def test_a_running_process_follows_the_switch(root: Path, ids: list[int]) -> None:
    holder = live(SPACE)
    old = holder.view().method.version
    tiny_encoder.make(root, seed=1)
    extract(ids)
    assert holder.view().method.version == old
    build.build(SPACE)
    holder.view()
    if holder._loading:
        holder._loading.join()
    assert holder.view().method.version == version() != old
    assert everything_is_found(ids)


@pytest.mark.django_db(transaction=True)
def test_a_query_is_answered_in_the_version_that_it_was_made_in(root: Path, ids: list[int]) -> None:
    query = query_by_pixels(scene(0, (96, 64)), SPACE)
    tiny_encoder.make(root, seed=1)
    extract(ids)
    build.build(SPACE)
    forget()
    result = search(query, method=SPACE)
    assert (result.hits[0].key, result.hits[0].distance) == (ids[0], pytest.approx(0, abs=1e-3))
    assert not result.skipped


def test_after_a_rollback_the_old_version_answers_and_the_new_one_does_not_come_back(
    root: Path, ids: list[int], worker: Callable[[], None]
) -> None:
    old = version()
    tiny_encoder.make(root, seed=1)
    extract(ids)
    build.build(SPACE)
    ids.append(add(COUNT))
    extract(ids)  # has the new version only
    assert build.rollback(SPACE, "Ann").version == old
    forget()
    for _ in range(2):
        reindexing.start_job(spaces=[SPACE])
        worker()
    assert (version(), backlog.pending(SPACE), build.behind(SPACE)) == (old, 0, False)
    forget()
    assert everything_is_found(ids)
    assert not Job.objects.exclude(state="done").exists()


def test_a_version_that_was_rolled_back_comes_again_when_it_is_asked_for(root: Path, ids: list[int]) -> None:
    old = version()
    tiny_encoder.make(root, seed=1)
    extract(ids)
    build.build(SPACE)
    new = version()
    build.rollback(SPACE, "Ann")
    build.build(SPACE)
    assert version() == old
    call_command("build_index", space=SPACE, accept=True)
    assert version() == new
    forget()
    assert everything_is_found(ids)


def test_a_third_model_is_taken_after_a_rollback(root: Path, ids: list[int]) -> None:
    for seed in (1, 2):
        tiny_encoder.make(root, seed=seed)
        extract(ids)
        build.build(SPACE)
        if seed == 1:
            build.rollback(SPACE, "Ann")
    assert version() == get_method(SPACE).version
    forget()
    assert everything_is_found(ids)


def test_the_command_goes_back_to_the_model_before_past_snapshots_of_the_same(root: Path, ids: list[int]) -> None:
    old = version()
    tiny_encoder.make(root, seed=1)
    extract(ids)
    for seed in range(COUNT, COUNT + 3):
        build.build(SPACE)
        ids.append(add(seed))
        extract(ids)
    build.build(SPACE)
    call_command("rollback_index", space=SPACE)
    assert version() != old
    call_command("rollback_index", space=SPACE, version_before=True)
    assert version() == old
    with pytest.raises(CommandError, match="no earlier snapshot"):
        call_command("rollback_index", space=SPACE, version_before=True)


def test_there_is_no_rollback_to_a_version_whose_model_is_gone(root: Path, ids: list[int]) -> None:
    tiny_encoder.make(root, seed=1)
    extract(ids)
    build.build(SPACE)
    forget()
    kept = (root / "tiny").resolve()
    for folder in root.glob("tiny.*"):
        if folder.resolve() != kept:
            folder.rename(root / "elsewhere")
    with pytest.raises(SearchError, match="no earlier snapshot"):
        build.rollback(SPACE, "Ann")
    assert everything_is_found(ids)


def test_the_version_before_is_kept_and_older_ones_are_deleted(root: Path, ids: list[int]) -> None:
    versions = [version()]
    for seed in (1, 2):
        tiny_encoder.make(root, seed=seed)
        extract(ids)
        build.build(SPACE)
        versions.append(version())
    stored = set(Feature.objects.filter(space=SPACE).values_list("version", flat=True))
    assert stored == set(versions[1:])
    assert set(Snapshot.objects.filter(space=SPACE).values_list("version", flat=True)) == stored
    retention.prune(SPACE)
    assert build.rollback(SPACE, "Ann").version == versions[1]


def test_a_version_that_was_never_complete_is_deleted(root: Path, ids: list[int]) -> None:
    tiny_encoder.make(root, seed=1)
    extract(ids[:3])
    abandoned = get_method(SPACE).version
    tiny_encoder.make(root, seed=2)
    extract(ids)
    build.build(SPACE)
    assert version() == get_method(SPACE).version
    assert not Feature.objects.filter(version=abandoned).exists()


def test_a_feature_of_another_dimension_is_kept_out_of_the_index_and_made_again(root: Path, ids: list[int]) -> None:
    method = get_method(SPACE)
    for wrong in (bytes(2 * method.dimension - 2), b"\xff" * 2 * method.dimension, b"x"):
        Feature.objects.filter(space=SPACE, image_id=ids[2]).update(data=wrong, stale=False)
        Snapshot.objects.all().delete()
        Space.objects.update(snapshot=None)
        forget()
        assert sorted(found(0)) == ids[:2] + ids[3:]
        assert build.build(SPACE)
        assert backlog.pending(SPACE) == 1
        assert "worked on" in search(query_by_image(ids[2], SPACE), method=SPACE).skipped[SPACE]
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
    assert backlog.pending(SPACE) == 0
    assert not build.due(SPACE)
    assert version() == before == get_method(SPACE).version


def test_a_version_that_cannot_be_computed_any_more_makes_room_at_once(ids: list[int], settings) -> None:
    """The method itself has changed: what answered needs code that is gone."""
    Space.objects.filter(pk=SPACE).update(version="image-network-of-old")
    Feature.objects.filter(space=SPACE).update(version="image-network-of-old")
    forget()
    assert backlog.pending(SPACE) == COUNT
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


def test_a_switch_killed_at_any_step_loses_nothing(site, tmp_path: Path) -> None:
    """Each build, and each look at what it left, is a process of its own."""
    site.environment |= {"MODELS_ROOT": str(tmp_path / "models"), "NEURAL_ENCODER": "tiny"}
    told = [
        json.loads(line)
        for line in site.start("tests.dying", SPACE, "switch").communicate(timeout=600)[0].split("\n")
        if line
    ]
    ends, looks = told[::2], told[1::2]
    assert len(ends) > 15, "hardly a step was found to kill the switch at"
    assert [one["ended"] for one in ends] == [signal.SIGKILL] * (len(ends) - 1) + [0]
    whole = {"found": True, "problems": ["", ""], "clean": True, "built": True}
    assert [(step, one) for step, one in enumerate(looks, 1) if one != whole] == []


def test_without_a_model_nothing_waits_and_everything_says_so(root: Path, settings, worker: Callable[[], None]) -> None:
    settings.NEURAL_ENCODER = "resnet50"
    ids = [add(seed) for seed in range(2)]
    job = reindexing.start_job(spaces=[])
    worker()
    job.refresh_from_db()
    assert (job.state, job.error) == ("done", "")
    assert backlog.pending(SPACE) == 0
    assert features_versions.wanted(SPACE) == []
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
    new, old = get_method(SPACE), features_versions.serving(SPACE)
    apart = np.linalg.norm(new.rows([new.extract(pixels)]) - old.rows([old.extract(pixels)]))
    assert apart > 1
    assert found(0)[0] == ids[0]
