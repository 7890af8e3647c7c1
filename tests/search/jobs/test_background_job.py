"""What all background jobs promise: claimed once, never done after they were cancelled, an error as their reason."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Permission, User
from django.db import OperationalError
from django.db.models import F
from django.test import Client

from search.exceptions import JobClosed
from search.jobs import progress
from search.jobs.progress import JobProgress, closing
from search.map.models import Layout
from search.model_registry.models import Fetch
from search.models import BackgroundJob, Job

pytestmark = pytest.mark.django_db

KINDS = {
    "search/job": (Job, {"spaces": ["color"]}),
    "atlas/layout": (Layout, {"space": "color"}),
    "fetching/fetch": (Fetch, {"name": "conse"}),
}


@pytest.fixture(params=KINDS)
def job(request: pytest.FixtureRequest) -> BackgroundJob:
    model, fields = KINDS[request.param]
    return model._default_manager.create(**fields)


def stored(job: BackgroundJob) -> BackgroundJob:
    return type(job)._default_manager.get(pk=job.pk)


def cancel_as(client: Client, job: BackgroundJob, *codenames: str) -> str:
    """Choose "Cancel" in the list of the admin; the page that follows."""
    helper = User.objects.create_user("helper", is_staff=True)
    helper.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(helper)
    path = next(path for path, (model, _) in KINDS.items() if isinstance(job, model))
    sent = {"action": "cancel", "_selected_action": [job.pk]}
    return client.post(f"/admin/{path}/", sent, follow=True).content.decode()


def test_of_several_workers_one_gets_the_job(job: BackgroundJob) -> None:
    others = [stored(job), stored(job)]
    assert [each.claim() for each in (job, *others)] == [True, False, False]
    assert (stored(job).state, job.state) == ("running", "running")


def test_a_worker_that_holds_a_lock_resumes_what_a_dead_one_has_left(job: BackgroundJob) -> None:
    assert job.claim()
    assert stored(job).claim(resume=True)
    job.finish()
    assert not stored(job).claim(resume=True)


def test_progress_is_written_to_the_row(job: BackgroundJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "NOTE_SECONDS", 0)
    job.claim()
    noted = [(stored(job).stage, stored(job).done) for _ in JobProgress(job)("abc", 3, "drawing")]
    assert noted == [("drawing", 0), ("drawing", 1), ("drawing", 2)]
    assert stored(job).total == 3


def test_notes_count_in_the_database_and_say_when_they_were_made(job: BackgroundJob) -> None:
    before = stored(job).updated_at
    job.note(done=F("done") + 2)
    job.note(done=F("done") + 2)
    assert stored(job).done == 4
    assert stored(job).updated_at > before


def test_a_cancelled_job_stops_at_its_next_note_and_is_never_done(job: BackgroundJob) -> None:
    job.claim()
    worker = stored(job)
    assert job.cancel()
    with pytest.raises(JobClosed):
        worker.note(stage="laying out")
    with pytest.raises(JobClosed):
        worker.finish()
    assert not worker.fail("too late")
    assert (stored(job).state, stored(job).error, stored(job).finished) == ("cancelled", "", True)


def test_a_loop_ends_when_its_job_is_cancelled(job: BackgroundJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "NOTE_SECONDS", 0)
    worker, steps = stored(job), []

    def work() -> Iterator[int]:
        for step in JobProgress(worker)(range(100), 100, "drawing"):
            steps.append(step)
            if step == 2:
                job.cancel()
            yield step

    with pytest.raises(JobClosed):
        list(work())
    assert steps == [0, 1, 2]


def test_what_has_ended_cannot_be_cancelled(job: BackgroundJob) -> None:
    job.finish()
    assert not job.cancel()
    assert stored(job).state == "done"


def test_an_error_closes_the_job_with_its_reason(job: BackgroundJob) -> None:
    with pytest.raises(ValueError, match="upside down"), closing(job):
        raise ValueError("upside down")
    assert (stored(job).state, stored(job).error) == ("failed", "ValueError: upside down")
    assert stored(job).summary == "failed: ValueError: upside down"


def test_a_database_that_is_away_only_delays_the_job(job: BackgroundJob) -> None:
    job.claim()
    with pytest.raises(OperationalError), closing(job):
        raise OperationalError("the server closed the connection")
    assert stored(job).state == "running"


def test_staff_who_may_change_jobs_cancel_them_in_the_admin(client: Client, job: BackgroundJob) -> None:
    name = type(job).__name__.lower()
    page = cancel_as(client, job, f"view_{name}", f"change_{name}")
    assert "1 cancelled" in page
    assert ">cancelled</span>" in page
    assert stored(job).state == "cancelled"


def test_staff_who_may_only_look_cannot_cancel(client: Client, job: BackgroundJob) -> None:
    page = cancel_as(client, job, f"view_{type(job).__name__.lower()}")
    assert "Cancel</option>" not in page
    assert stored(job).state == "queued"
