"""What those who run the site see of it: readiness, figures, and ids in the log."""

from __future__ import annotations

import json
import logging
from io import StringIO
from pathlib import Path

import pytest
from celery import Celery
from django.contrib.auth.models import User
from django.test import Client

from gallery.services import add_image
from imagesite import readiness
from imagesite.request_id import JsonFormatter, RequestIdFilter, request_id
from search.models import Snapshot
from search.retrieval.live import forget
from tests.support.images import encode, scene

pytestmark = pytest.mark.django_db


def test_a_site_that_works_is_ready(client: Client) -> None:
    parts = client.get("/readyz").json()["parts"]
    assert parts["database"] == parts["broker"] == parts["phash"] == parts["color"] == "ok"


def test_a_site_without_its_broker_says_so(client: Client, monkeypatch) -> None:
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)  # Celery takes it before its argument
    monkeypatch.setattr("imagesite.readiness.app", Celery(broker="redis://127.0.0.1:1/0"))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "does not answer" in answer.json()["parts"]["broker"]


@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
def test_probes_ask_a_process_by_its_address_and_without_https(client: Client, settings, address: str) -> None:
    settings.ALLOWED_HOSTS, settings.SECURE_SSL_REDIRECT = ["pictures.example.org"], True
    assert client.get(address, SERVER_NAME="10.0.0.7").json()["status"] in {"ok", "not ready"}
    assert client.get("/", SERVER_NAME="10.0.0.7").status_code == 400


def test_a_site_without_its_static_files_says_so(client: Client, settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT, settings.DEBUG = tmp_path, False
    whitenoise = {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": whitenoise}
    assert "collectstatic" in client.get("/readyz").json()["parts"]["static"]


def test_a_damaged_snapshot_is_told(client: Client, worker, settings) -> None:
    from search.snapshots import build

    add_image(data=encode(scene(1, (60, 60)), "PNG"))
    worker()
    build.build("phash")
    folder = settings.SNAPSHOT_ROOT / Snapshot.objects.get(space="phash").folder
    (folder / "meta.json").write_text("{}")
    forget()
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "damaged" in answer.json()["parts"]["phash"]
    (folder / "meta.json").unlink()
    Snapshot.objects.update(problem="")
    forget()
    told = client.get("/readyz").json()["parts"]["phash"]
    assert "No such file" in told
    assert str(folder) not in told


def test_figures_are_for_staff_and_for_those_with_the_token(client: Client, settings) -> None:
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404
    settings.METRICS_TOKEN = "of the test"
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer of the test"}).status_code == 200
    settings.METRICS_TOKEN = ""
    client.force_login(User.objects.create_user("reader"))
    assert client.get("/metrics").status_code == 404
    client.force_login(User.objects.create_superuser("chief"))
    assert client.get("/metrics").status_code == 200


def test_figures_count_pictures_requests_and_what_is_pending(client: Client, worker) -> None:
    client.force_login(User.objects.create_superuser("chief"))
    add_image(data=encode(scene(1, (60, 60)), "PNG"))
    told = client.get("/metrics").content.decode()
    assert 'imagesite_space_pending{space="phash"} 1.0' in told
    worker()
    client.get("/")
    told = client.get("/metrics").content.decode()
    assert 'imagesite_space_pending{space="phash"} 0.0' in told
    assert 'imagesite_space_pictures{space="color"} 1.0' in told
    assert 'imagesite_requests_total{method="GET",status="200",view="gallery:index"}' in told


def test_figures_tell_how_long_spaces_take_and_how_far_they_are_behind(client: Client, worker) -> None:
    client.force_login(User.objects.create_superuser("chief"))
    image = add_image(data=encode(scene(1, (60, 60)), "PNG")).image
    worker()
    similar = f"/api/images/{image.pk}/similar/?method=color"
    assert client.get(similar).status_code == 200
    before = _figure(client, 'imagesite_search_seconds_count{space="color"}')
    assert client.get(similar).status_code == 200
    assert _figure(client, 'imagesite_search_seconds_count{space="color"}') == before + 1
    assert _figure(client, 'imagesite_space_lag{space="color"}') == 1.0  # no index was built since
    assert _figure(client, 'imagesite_queue_tasks{queue="extract"}') == 0.0


def test_tasks_that_wait_are_counted(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)
    waiting = Celery(broker="filesystem://localhost")
    folders = {name: str(tmp_path) for name in ("data_folder_in", "data_folder_out", "control_folder")}
    waiting.conf.update(broker_transport_options=folders, task_default_queue="extract")
    for _ in range(3):
        waiting.send_task("search.tasks.sweep")
    monkeypatch.setattr("imagesite.readiness.app", waiting)
    assert readiness.queued_tasks() == {"extract": 3}


def _figure(client: Client, name: str) -> float:
    lines = client.get("/metrics").content.decode().splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} "))


def test_invented_methods_are_counted_together(client: Client) -> None:
    client.force_login(User.objects.create_superuser("chief"))
    for number in range(3):
        client.generic(f"INVENTED{number}", "/healthz")
    told = client.get("/metrics").content.decode()
    assert "INVENTED" not in told
    assert 'imagesite_requests_total{method="OTHER",status="405"' in told


def test_addresses_of_kept_searches_are_secret_in_the_log(client: Client, settings, caplog) -> None:
    settings.LOG_REQUESTS = True
    caplog.handler.addFilter(RequestIdFilter())
    with caplog.at_level(logging.INFO):
        for address in ("/search/abcdefghijklmnopqrstuv/picture/", "/api/searches/abcdefghijklmnopqrstuv/"):
            assert client.get(address).status_code == 404
    assert "/api/searches/*/" in caplog.text
    assert "/search/*/picture/" in caplog.text
    assert "abcdefghijklmnop" not in caplog.text


def test_requests_can_be_logged_but_not_what_was_searched_for(client: Client, settings, caplog) -> None:
    settings.LOG_REQUESTS = True
    with caplog.at_level(logging.INFO, "imagesite.request_id"):
        client.get("/a%0Aforged line/?q=secret")
    told = [record.getMessage() for record in caplog.records if record.name == "imagesite.request_id"]
    assert [line.rpartition(",")[0] for line in told] == ["GET /a%0Aforged%20line/ 404"]


def test_a_request_is_answered_with_its_id(client: Client) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": "abc-1"}).headers["X-Request-ID"] == "abc-1"
    made = client.get("/healthz", headers={"X-Request-ID": "a b\tforged"}).headers["X-Request-ID"]
    assert len(made) == 32


def test_a_task_belongs_to_the_request_that_asked_for_it() -> None:
    from imagesite.celery import app
    from imagesite.request_id import send_request_id, take_request_id

    request_id.set("from-a-request")
    headers: dict[str, object] = {}
    send_request_id(headers=headers)
    request_id.set("-")
    task = app.tasks["search.tasks.sweep"]
    task.push_request(**headers)
    try:
        take_request_id(task=task)
    finally:
        task.pop_request()
    assert request_id.get() == "from-a-request"


def test_the_log_can_be_json() -> None:
    lines = StringIO()
    out = logging.StreamHandler(lines)
    out.setFormatter(JsonFormatter())
    out.addFilter(RequestIdFilter())
    log = logging.getLogger("a test of json")
    log.addHandler(out)
    log.propagate = False
    request_id.set("id-7")
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("It was “%s”", "said")
    told = json.loads(lines.getvalue())
    assert (told["message"], told["request_id"], told["level"]) == ("It was “said”", "id-7", "ERROR")
    assert "ValueError: no" in told["exception"]
