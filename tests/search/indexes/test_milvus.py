"""Milvus as the site's index: rows that all share may be ahead of any snapshot, and the server may go away."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import numpy as np
import pytest
from django.core.checks import run_checks
from django.test import Client

from gallery.services import add_image, delete_images
from search import tasks
from search.exceptions import SearchError
from search.features import changelog
from search.features.extraction import extract
from search.features.versions import state_of
from search.indexes.brute import BruteIndex
from search.indexes.milvus.index import MilvusIndex
from search.indexes.milvus.rows import drop, names
from search.jobs import reindexing
from search.methods import METHODS, get_method
from search.models import Commit, Job, Space
from search.retrieval.engine import search
from search.retrieval.live import forget, view_of
from search.retrieval.queries import query_by_pixels
from search.snapshots import build
from search.snapshots.loading import index_name
from search.snapshots.rollback import rollback
from search.snapshots.shared import note_position
from tests.support.images import encode, scene
from tests.support.milvus_server import MilvusServer, missing_milvus
from tests.support.snapshots import newest
from tests.support.waiting import wait_until

SPACE = "phash"


@pytest.fixture
def site(settings, db: None, milvus: MilvusServer) -> None:
    settings.INDEX_BACKEND = "milvus"


@pytest.fixture
def own_server(settings, db: None) -> Iterator[MilvusServer]:
    """One that may be killed."""
    if reason := missing_milvus():
        pytest.skip(reason)
    settings.INDEX_BACKEND = "milvus"
    server = MilvusServer()
    with server.connected():
        yield server
    server.stop()


def add(seed: int) -> int:
    image = add_image(data=encode(scene(seed, (120, 90)), "PNG")).image
    extract([image.pk])
    return image.pk


def found(seed: int) -> list[int]:
    """Who has this very picture."""
    result = search(query_by_pixels(scene(seed, (120, 90)), SPACE), method=SPACE)
    assert not result.skipped
    return [hit.key for hit in result.hits if hit.distance == 0]


def answers() -> bool:
    return not search(query_by_pixels(scene(0), SPACE), method=SPACE).skipped


def run_ahead() -> None:
    """What a worker has done when it is killed before the snapshot is written."""
    method = get_method(SPACE)
    loaded = newest(SPACE)
    note_position(loaded.index, Space.objects.get(pk=SPACE).position)
    for chunk in changelog.changes(SPACE, method.version, loaded.snapshot.sequence if loaded.snapshot else 0):
        changelog.apply(loaded.index, SPACE, method, chunk)


def test_hashes_are_found_exactly_and_in_the_order_of_their_keys(milvus_at_once: None) -> None:
    random = np.random.default_rng(0)
    keys, rows = random.permutation(20_000)[:6_000], random.integers(0, 2**64, (6_000, 4), np.uint64)
    rows[::3] &= np.uint64(0xFF)  # many ties
    index, oracle = MilvusIndex("hamming", 4), BruteIndex("hamming", 4)
    for one in (index, oracle):
        one.add(keys, rows)
        one.add(keys[:500], rows[500:1_000])
        one.remove(keys[5_000:])
    for query in (rows[0], rows[1], random.integers(0, 2**64, 4, np.uint64)):
        for k, allowed in ((1, None), (10, None), (700, None), (10, np.sort(keys[::2])), (3, np.sort(keys[:50]))):
            mine, right = index.search(query, k, allowed), oracle.search(query, k, allowed)
            assert mine.keys.tolist() == right.keys.tolist()
            assert mine.distances.tolist() == right.distances.tolist()
        assert index.within(query, 100).keys.tolist() == oracle.within(query, 100).keys.tolist()


def test_more_rows_than_milvus_gives_at_once_are_given(milvus_at_once: None) -> None:
    index, rows = MilvusIndex("hamming", 4), np.zeros((17_000, 4), np.uint64)
    index.add(np.arange(17_000), rows)
    assert index.keys().tolist() == list(range(17_000))
    assert index.within(rows[0], 0).keys.tolist() == list(range(17_000))
    assert index.search(rows[0], 16_900).keys.tolist() == list(range(16_900))


@pytest.mark.parametrize("metric", sorted(MilvusIndex.metrics))
def test_a_copy_has_rows_of_its_own(metric: str, milvus_at_once: None) -> None:
    rows = np.arange(40).reshape(10, 4).astype(np.uint64 if metric == "hamming" else np.float32)
    index = MilvusIndex(metric, 4)
    index.add(np.arange(10), rows)
    twin = deepcopy(index)
    index.remove(np.arange(5))
    assert (len(index), len(twin)) == (5, 10)
    assert twin.search(rows[3], 1).keys.tolist() == [3]
    assert twin.search(rows[3], 1).distances.tolist() == [0]


def test_spaces_whose_metric_milvus_does_not_know_stay_embedded(settings) -> None:
    settings.INDEX_BACKEND = "milvus"
    for space in METHODS:
        known = get_method(space).metric in MilvusIndex.metrics
        assert (index_name(space) == "milvus") == known
    settings.SPACE_INDEXES = {SPACE: "mih"}
    assert index_name(SPACE) == "mih"


@pytest.mark.parametrize(
    ("name", "value", "check"),
    [("INDEX_BACKEND", "faiss", "search.E007"), ("MILVUS_PREFIX", "a__b", "search.E009")],
)
def test_wrong_settings_are_told_at_start(name: str, value: str, check: str, settings) -> None:
    setattr(settings, name, value)
    assert check in [message.id for message in run_checks()]


def test_pictures_are_found_from_the_moment_they_are_stored_and_gone_when_deleted(site: None) -> None:
    ids = [add(seed) for seed in range(6)]
    assert [found(seed) for seed in range(6)] == [[one] for one in ids]
    build.build(SPACE)
    forget()
    assert len(view_of(state_of(SPACE)).tail) == 0
    assert [found(seed) for seed in range(6)] == [[one] for one in ids]
    delete_images(ids=ids[:2])
    new = add(7)
    assert [found(seed) for seed in (0, 1, 2, 7)] == [[], [], [ids[2]], [new]]
    build.build(SPACE)
    forget()
    assert [found(seed) for seed in (0, 1, 2, 7)] == [[], [], [ids[2]], [new]]
    assert len(names(SPACE)) == 1


def test_a_search_does_not_read_all_keys(site: None, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [add(seed) for seed in range(3)]
    build.build(SPACE)
    forget()
    monkeypatch.setattr(MilvusIndex, "keys", lambda _: pytest.fail("all keys are read"))
    assert [found(seed) for seed in range(3)] == [[one] for one in ids]


def test_a_worker_that_is_killed_in_the_middle_leaves_right_answers(site: None) -> None:
    ids = [add(seed) for seed in range(4)]
    build.build(SPACE)
    old = view_of(state_of(SPACE))
    delete_images(ids=ids[:1])
    new = add(9)
    run_ahead()
    for _ in ("the view of before", "a new one"):
        assert [found(seed) for seed in (0, 1, 9)] == [[], [ids[1]], [new]]
        forget()
    delete_images(ids=[new])
    assert found(9) == []
    snapshot = build.build(SPACE)
    forget()
    assert snapshot
    assert snapshot.count == 3
    assert view_of(state_of(SPACE)).keys().tolist() == ids[1:]
    assert old.index.search(get_method(SPACE).rows([get_method(SPACE).extract(scene(9))])[0], 9).keys.tolist()


def test_rows_of_a_history_that_was_put_back_are_not_used(site: None) -> None:
    ids = [add(seed) for seed in range(3)]
    build.build(SPACE)
    before = names(SPACE)
    lost = add(5)
    run_ahead()
    # As a backup of the database from before the last picture has it.
    row = Space.objects.get(pk=SPACE)
    Commit.objects.filter(space=SPACE, sequence=row.head).update(token="another")
    Space.objects.filter(pk=SPACE).update(token="another")
    delete_images(ids=[lost])
    forget()
    assert view_of(state_of(SPACE)).keys().tolist() == ids
    build.build(SPACE)
    forget()
    assert view_of(state_of(SPACE)).keys().tolist() == ids
    assert len(names(SPACE)) == 1
    assert names(SPACE) != before


def test_rows_that_milvus_has_lost_are_put_back(site: None) -> None:
    ids = [add(seed) for seed in range(3)]
    build.build(SPACE)
    assert not build.due(state_of(SPACE))
    for name in names(SPACE):
        drop(name)
    assert SPACE in search(query_by_pixels(scene(0), SPACE), method=SPACE).skipped
    assert build.due(state_of(SPACE))
    assert build.build(SPACE)
    forget()
    assert [found(seed) for seed in range(3)] == [[one] for one in ids]


def test_there_is_no_way_back_to_an_older_state_of_the_same_rows(site: None) -> None:
    add(1)
    build.build(SPACE)
    add(2)
    build.build(SPACE)
    with pytest.raises(SearchError, match="no earlier snapshot"):
        rollback(SPACE, "a test")


def test_a_server_that_is_killed_costs_answers_but_no_picture(own_server: MilvusServer) -> None:
    ids = [add(seed) for seed in range(4)]
    build.build(SPACE)
    delete_images(ids=ids[:1])
    run_ahead()
    own_server.kill()
    for _ in ("a running process", "a new one"):
        skipped = search(query_by_pixels(scene(1), "color"), method="color").skipped
        assert not skipped  # its pictures are all in the tail
        assert "is not responding" in search(query_by_pixels(scene(1), SPACE), method=SPACE).skipped[SPACE]
        assert "is not responding" in Client().get("/readyz").json()["parts"][SPACE]
        forget()
    new = add(9)
    delete_images(ids=[ids[1]])
    with pytest.raises(SearchError, match="is not responding"):
        build.build(SPACE)
    job = reindexing.start_job(spaces=[SPACE, "local"])
    tasks.advance_job(job.pk)
    job.refresh_from_db()
    assert (job.state, job.stage) == (Job.State.RUNNING, "waiting")
    assert "is not responding" in job.error
    assert not build.behind(state_of("local"))
    own_server.start()
    wait_until(answers, "Milvus' recovery")
    assert [found(seed) for seed in (0, 1, 2, 3, 9)] == [[], [], [ids[2]], [ids[3]], [new]]
    tasks.advance_job(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error) == (Job.State.DONE, "")
    assert not build.behind(state_of(SPACE))
    forget()
    assert view_of(state_of(SPACE)).keys().tolist() == [ids[2], ids[3], new]
    assert [found(seed) for seed in (0, 1, 2, 3, 9)] == [[], [], [ids[2]], [ids[3]], [new]]
