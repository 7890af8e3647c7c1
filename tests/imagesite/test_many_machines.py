"""Machines that share a database, and what is left of the work while a server that they share is away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.storage import storages
from django.db import OperationalError
from django.test import Client
from kombu.exceptions import OperationalError as NoBroker

from gallery.exceptions import StorageUnavailable
from gallery.models import Image
from gallery.s3 import BriefS3Storage
from gallery.services import add_image
from search import tasks
from search.circuit_breaker import CircuitBreaker
from search.exceptions import SnapshotDamaged, SpaceUnavailable
from search.features import backlog
from search.features.extraction import extract
from search.features.versions import state_of, states_of
from search.jobs import queue
from search.jobs.extraction_queue import enqueue_missing
from search.methods import METHODS
from search.models import Extraction, Snapshot
from search.retrieval.engine import search
from search.retrieval.live import forget, view_of
from search.retrieval.queries import query_by_pixels
from search.snapshots import build, retention
from tests.support.api import error_of, picture, writer
from tests.support.images import encode, scene
from tests.support.snapshots import loaded

pytestmark = pytest.mark.django_db
SPACE = "color"
NOWHERE = {"bucket_name": "b", "endpoint_url": "http://127.0.0.1:1", "access_key": "a", "secret_key": "b"}


@pytest.fixture
def machine(settings, tmp_path: Path) -> Callable[[str], Path]:
    """Makes this process work on one of several machines, which share a storage of snapshots; returns its folder."""
    place = {"location": str(tmp_path / "shared")}
    backend = {"BACKEND": "gallery.storage.DurableFileSystemStorage", "OPTIONS": place}
    settings.STORAGES = {**settings.STORAGES, "snapshots": backend}

    def go(name: str) -> Path:
        settings.SNAPSHOT_ROOT = tmp_path / name
        forget()
        return settings.SNAPSHOT_ROOT

    return go


@pytest.fixture
def away(settings, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes one of the storages an S3 server that does not answer."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    def turn_off(alias: str) -> None:
        backend = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": NOWHERE}
        settings.STORAGES = {**settings.STORAGES, alias: backend}

    return turn_off


def add(seed: int) -> int:
    image = add_image(data=encode(scene(seed, (80, 60)), "PNG")).image
    extract([image.pk])
    return image.pk


def nearest(seed: int) -> int:
    return search(query_by_pixels(scene(seed, (80, 60)), SPACE), method=SPACE).hits[0].key


def test_what_one_machine_builds_another_loads(machine) -> None:
    machine("one")
    ids = [add(seed) for seed in range(4)]
    made = build.build(SPACE)
    assert made
    other = machine("other")
    view = view_of(state_of(SPACE))
    assert (view.index_keys.tolist(), len(view.tail), view.problem) == (ids, 0, None)
    assert (other / made.folder / "meta.json").is_file()
    assert nearest(2) == ids[2]
    add(9)
    assert build.build(SPACE)  # on top of the other's
    machine("one")
    assert len(view_of(state_of(SPACE)).index_keys) == 5


def test_a_copy_that_is_damaged_here_is_fetched_again(machine) -> None:
    root = machine("one")
    add(1)
    made = build.build(SPACE)
    assert made
    for path in (root / made.folder).iterdir():
        path.write_bytes(b"nonsense")
    assert len(loaded(made)) == 1
    assert loaded(made)
    assert Snapshot.objects.get(pk=made.pk).problem == ""


def test_what_is_damaged_everywhere_is_told(machine) -> None:
    machine("one")
    add(1)
    made = build.build(SPACE)
    assert made
    machine("other")
    name = f"{made.folder}/meta.json"
    storages["snapshots"].delete(name)
    with pytest.raises(SnapshotDamaged):
        loaded(made)
    forget()
    assert "damaged" in view_of(state_of(SPACE)).problem


def test_a_storage_that_is_away_spoils_no_snapshot(machine, away) -> None:
    machine("one")
    add(1)
    made = build.build(SPACE)
    assert made
    machine("other")
    away("snapshots")
    with pytest.raises(SpaceUnavailable, match="is not responding"):
        loaded(made)
    assert "is not responding" in search(query_by_pixels(scene(1), SPACE), method=SPACE).skipped[SPACE]
    assert Snapshot.objects.get(pk=made.pk).problem == ""
    root = machine("one")
    assert view_of(state_of(SPACE)).problem is None  # it has a copy
    add(2)
    with pytest.raises(SpaceUnavailable):
        build.build(SPACE)
    assert [path.name for path in (root / SPACE).iterdir()] == [Path(made.folder).name]


def test_what_nobody_needs_goes_everywhere(machine, settings, tmp_path: Path) -> None:
    settings.SNAPSHOTS_KEPT = 1
    machine("one")
    add(1)
    assert build.build(SPACE)
    other = machine("other")
    view_of(state_of(SPACE))
    machine("one")
    add(2)
    made = build.build(SPACE)
    assert made
    left = [Path(made.folder).name]
    assert [path.name for path in (tmp_path / "shared" / SPACE).iterdir() if any(path.iterdir())] == left
    machine("other")
    view_of(state_of(SPACE))
    retention.drop_local(SPACE)
    assert [path.name for path in (other / SPACE).iterdir()] == left


def test_a_picture_is_not_to_blame_for_a_storage_that_is_away(away) -> None:
    ids = [add_image(data=encode(scene(seed, (80, 60)), "PNG")).image.pk for seed in range(2)]
    away("default")
    for _ in range(backlog.MAX_TRIES + 1):
        extract(ids)
    assert set(Extraction.objects.values_list("tries", flat=True)) == {0}
    assert backlog.pending(state_of("phash")) == 2


def test_s3_is_asked_as_was_set_but_not_waited_for_as_long_as_boto_would() -> None:
    options = {**NOWHERE, "addressing_style": "path"}
    config = BriefS3Storage(**options).connection.meta.client.meta.config
    assert (config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"]) == (3, 10, 2)
    assert config.s3["addressing_style"] == "path"


def test_an_upload_that_cannot_be_kept_is_refused_and_leaves_nothing(away) -> None:
    client = writer()
    away("default")
    error = error_of(client.post("/api/images/", {"file": picture()}), 503)
    assert error["code"] == "unavailable"
    assert not Image.objects.exists()
    with pytest.raises(StorageUnavailable):
        add_image(data=encode(scene(1), "PNG"))


def test_without_a_database_the_answer_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object, **__: object) -> None:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr("gallery.web.paging.page_of", gone)
    monkeypatch.setattr("gallery.views.page_of", gone)
    monkeypatch.setattr("search.retrieval.queries.states_of", gone)
    visitor = Client(raise_request_exception=False)
    answer, page = visitor.get("/api/images/"), visitor.get("/")
    assert error_of(answer, 503)["code"] == "unavailable"
    assert (page.status_code, page.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert error_of(visitor.get("/api/search/text/?q=dog"), 503)["code"] == "unavailable"
    assert answer.headers["Retry-After"] == page.headers["Retry-After"] == "5"


def test_what_could_not_be_queued_is_asked_for_by_the_next_sweep(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks
) -> None:
    def refuse(*_: object) -> None:
        raise NoBroker("no broker")

    monkeypatch.setattr(queue, "breaker", CircuitBreaker(pause=0))
    with monkeypatch.context() as without_broker, django_capture_on_commit_callbacks(execute=True):
        without_broker.setattr(tasks.extract, "delay", refuse)
        add_image(data=encode(scene(1, (80, 60)), "PNG"))
    with django_capture_on_commit_callbacks(execute=True):
        assert enqueue_missing(states_of(METHODS)) == 1
    assert backlog.pending(state_of("phash")) == 0
