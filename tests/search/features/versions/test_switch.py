"""A space gets another model: the old version answers until the new one is complete."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gallery.services import delete_images
from search.features import backlog, store
from search.features.extraction import extract
from search.features.versions import state_of
from search.methods import get_method
from search.models import Extraction, Feature
from search.retrieval.engine import search
from search.retrieval.live import forget, live, view_of
from search.retrieval.queries import query_by_image, query_by_pixels
from search.snapshots import build
from search.snapshots.rollback import rollback
from tests.support import tiny_encoder
from tests.support.images import scene
from tests.support.versions import COUNT, SPACE, add, everything_is_found, found, version
from tests.support.waiting import DEADLINE

pytestmark = pytest.mark.django_db


def test_the_old_version_answers_while_the_new_one_is_half_made(root: Path, ids: list[int]) -> None:
    old = version()
    tiny_encoder.make(root, seed=1)
    assert backlog.pending(state_of(SPACE)) == COUNT
    extract(ids[:3])
    assert backlog.pending(state_of(SPACE)) == COUNT - 3
    assert not build.due(state_of(SPACE))
    build.build(SPACE)
    for fresh_process in (False, True):
        if fresh_process:
            forget()
        assert everything_is_found(ids)
        assert view_of(state_of(SPACE)).method.version == version() == old
    assert search(query_by_image(ids[5], SPACE), method=SPACE).hits


def test_the_new_version_takes_over_when_it_has_everything(root: Path, ids: list[int]) -> None:
    old = version()
    tiny_encoder.make(root, seed=1, dimension=16)
    extract(ids)
    assert version() == old
    assert build.due(state_of(SPACE))
    fresh = build.build(SPACE)
    assert fresh
    assert version() == fresh.version == get_method(SPACE).version != old
    forget()
    assert everything_is_found(ids)
    assert view_of(state_of(SPACE)).index.dimension == 16
    state = state_of(SPACE)
    assert (backlog.pending(state), build.behind(state), build.due(state)) == (0, False, False)


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
    rollback(SPACE, "Ann")
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
    old = holder.view(state_of(SPACE)).method.version
    tiny_encoder.make(root, seed=1)
    extract(ids)
    assert holder.view(state_of(SPACE)).method.version == old
    build.build(SPACE)
    holder.view(state_of(SPACE))
    if holder._loading:
        holder._loading.join()
    assert holder.view(state_of(SPACE)).method.version == version() != old
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


def test_a_switch_killed_at_any_step_loses_nothing(site, tmp_path: Path) -> None:
    """Each build, and each look at what it left, is a process of its own."""
    site.environment |= {"MODELS_ROOT": str(tmp_path / "models"), "NEURAL_ENCODER": "tiny"}
    process = site.start("tests.support.crashing", SPACE, "switch")
    told = [json.loads(line) for line in process.communicate(timeout=6 * DEADLINE)[0].split("\n") if line]
    ends, looks = told[::2], told[1::2]
    assert len(ends) > 15, "hardly a step was found to kill the switch at"
    assert [one["ended"] for one in ends] == [signal.SIGKILL] * (len(ends) - 1) + [0]
    whole = {"found": True, "problems": ["", ""], "clean": True, "built": True}
    assert [(step, one) for step, one in enumerate(looks, 1) if one != whole] == []
