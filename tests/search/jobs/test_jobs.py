from __future__ import annotations

from collections.abc import Callable

import pytest

from gallery.services import add_image
from search.exceptions import UnknownSpace
from search.features import backlog
from search.features.versions import state_of, states_of
from search.jobs import extraction_queue, reindexing
from search.jobs.extraction_queue import enqueue_missing
from search.methods import METHODS, get_method
from search.models import Extraction, Feature, Job, Snapshot, Space
from tests.support.images import encode, scene

pytestmark = pytest.mark.django_db
Worker = Callable[[], None]


def add(count: int) -> list[int]:
    return [add_image(data=encode(scene(seed, (80, 60)), "PNG")).image.pk for seed in range(count)]


def test_reindexing_extracts_what_is_missing_and_builds_every_index(worker: Worker) -> None:
    ids = add(5)
    job = reindexing.start_job(spaces=[])
    assert (job.state, job.spaces) == ("queued", list(METHODS))
    worker()
    job.refresh_from_db()
    assert (job.state, job.done, job.total, job.error) == ("done", 5, 5, "")
    assert Feature.objects.count() == 5 * len(METHODS)
    assert {(one.space_id, one.count) for one in Snapshot.objects.all()} == {(space, len(ids)) for space in METHODS}
    assert not Extraction.objects.exists()


def test_force_extracts_again_what_is_there_and_numbers_only_what_changed(worker: Worker) -> None:
    ids = add(3)
    worker()
    Feature.objects.filter(space="phash", image_id=ids[0]).update(data=bytes(128))
    job = reindexing.start_job(spaces=["phash"], force=True)
    assert backlog.pending(state_of("phash")) == 0
    worker()
    job.refresh_from_db()
    assert (job.state, job.total) == ("done", 3)
    assert Space.objects.get(pk="phash").head == 3 + 1
    assert Feature.objects.get(space="phash", image_id=ids[0]).sequence == 4
    assert not Feature.objects.filter(stale=True).exists()
    assert Space.objects.get(pk="color").head == 3


def test_an_unknown_space_starts_no_job() -> None:
    with pytest.raises(UnknownSpace, match="phash"):
        reindexing.start_job(spaces=["smell"])
    assert not Job.objects.exists()


def test_a_failing_job_says_why(worker: Worker, settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from search import tasks

    add(1)
    worker()
    monkeypatch.setattr(type(get_method("phash")), "index", "nonsense")
    job = reindexing.start_job(spaces=["phash"])
    with pytest.raises(UnknownSpace):
        tasks.advance_job(job.pk)
    job.refresh_from_db()
    assert job.state == "failed"
    assert "nonsense" in job.error


def test_a_sweep_leaves_alone_what_is_under_way_and_takes_it_again_at_a_start(
    django_capture_on_commit_callbacks,
) -> None:
    ids = add(3)
    assert Extraction.objects.count() == 3
    assert enqueue_missing(states_of(METHODS)) == 0
    with django_capture_on_commit_callbacks() as queued:
        assert enqueue_missing(states_of(METHODS), at_once=True) == len(ids)
    assert len(queued) == 1


def test_a_sweep_strikes_off_what_was_asked_for_when_it_was_just_done(worker: Worker, settings) -> None:
    ids = add(2)
    worker()
    backlog.note_enqueued(ids)
    enqueue_missing(states_of(METHODS))
    assert Extraction.objects.count() == 2, "somebody may be at it"
    settings.TASK_LOST_SECONDS = 0
    backlog.note_enqueued([10**6])  # deleted since
    enqueue_missing(states_of(METHODS))
    assert not Extraction.objects.exists()


def test_a_picture_that_was_tried_before_goes_alone(django_capture_on_commit_callbacks) -> None:
    ids = add(4)
    Extraction.objects.filter(pk__in=ids[:2]).update(tries=1)
    with django_capture_on_commit_callbacks() as queued:
        enqueue_missing(states_of(METHODS), at_once=True)
    assert len(queued) == 3


def test_the_queue_is_not_flooded(monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks) -> None:
    monkeypatch.setattr(extraction_queue, "MOST_QUEUED", 4)
    with django_capture_on_commit_callbacks() as queued:
        add(6)
    assert len(queued) == 4


def test_a_picture_that_kills_every_worker_is_given_up(worker: Worker) -> None:
    ids = add(2)
    Extraction.objects.filter(pk=ids[0]).update(tries=backlog.MAX_TRIES, error="killed")
    worker()
    assert backlog.pending(state_of("phash")) == 0
    assert set(Feature.objects.values_list("image_id", flat=True)) == {ids[1]}
