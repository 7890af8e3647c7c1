"""A reindexing job that is cancelled stops soon and leaves the features and snapshots that there are."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gallery.services import add_image
from search.features import backlog
from search.features.versions import state_of
from search.jobs import reindexing
from search.models import Feature, Job, Snapshot, Space
from tests.support.api import error_of, holder
from tests.support.images import encode, scene

pytestmark = pytest.mark.django_db
Worker = Callable[[], None]


def add(count: int) -> list[int]:
    return [add_image(data=encode(scene(seed, (80, 60)), "PNG")).image.pk for seed in range(count)]


def test_what_was_to_be_extracted_again_stays_as_it_is(worker: Worker) -> None:
    add(3)
    worker()
    Feature.objects.filter(space="phash").update(data=bytes(128))
    job = reindexing.start_job(spaces=["phash"], force=True)
    reindexing._begin(job)
    assert backlog.pending(state_of("phash")) == 3
    assert reindexing.cancel(job)
    worker()
    assert not Feature.objects.filter(stale=True).exists()
    assert {bytes(feature.data) for feature in Feature.objects.filter(space="phash")} == {bytes(128)}
    assert Space.objects.get(pk="phash").head == 3
    assert Job.objects.get().state == "cancelled"


def test_another_job_that_asked_for_the_same_goes_on(worker: Worker) -> None:
    add(2)
    worker()
    jobs = [reindexing.start_job(spaces=spaces, force=True) for spaces in (["phash"], ["phash", "color"])]
    for job in jobs:
        reindexing._begin(job)
    reindexing.cancel(jobs[1])
    assert (backlog.pending(state_of("phash")), backlog.pending(state_of("color"))) == (2, 0)
    worker()
    assert [Job.objects.get(pk=job.pk).state for job in jobs] == ["done", "cancelled"]


def test_pictures_that_lack_a_feature_get_it_all_the_same(worker: Worker) -> None:
    add(2)
    reindexing.cancel(reindexing.start_job(spaces=["phash"]))
    worker()
    assert backlog.pending(state_of("phash")) == 0


def test_a_build_that_is_under_way_is_given_up(worker: Worker, monkeypatch: pytest.MonkeyPatch, settings) -> None:
    settings.SNAPSHOT_TAIL = 1_000  # no snapshot is due by itself
    add(2)
    reindexing.start_job(spaces=["phash", "color"])
    note = Job.note

    def cancelled_when_it_builds(self: Job, **changes: object) -> None:
        note(self, **changes)
        if self.stage.startswith("building the index"):
            reindexing.cancel(Job.objects.get(pk=self.pk))

    monkeypatch.setattr(Job, "note", cancelled_when_it_builds)
    worker()
    assert (Job.objects.get().state, Job.objects.get().error) == ("cancelled", "")
    assert not Snapshot.objects.filter(space="color").exists()
    assert not list(settings.SNAPSHOT_ROOT.glob("phash/*"))


def test_staff_cancel_a_job_by_the_api_once() -> None:
    staff = holder(is_staff=True)
    started = staff.post("/api/reindex/", {"spaces": ["phash"]}, content_type="application/json").json()
    cancelled = staff.post(f"{started['url']}cancel/")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert staff.get(started["url"]).json()["state"] == "cancelled"
    assert error_of(staff.post(f"{started['url']}cancel/"), 409)["code"] == "job_ended"


def test_others_cancel_nothing(client) -> None:
    job = reindexing.start_job(spaces=["phash"])
    error_of(client.post(f"/api/jobs/{job.pk}/cancel/"), 401)
    error_of(holder("change_image").post(f"/api/jobs/{job.pk}/cancel/"), 403)
    assert Job.objects.get().state == "queued"
