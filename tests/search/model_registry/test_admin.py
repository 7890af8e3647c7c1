"""Encoders in the admin: which are installed, what uses them, and installing another."""

import sys

import pytest
from django.contrib.auth.models import User

from search.encoders.folder import write_folder
from search.model_registry import install, registry
from search.model_registry.models import SILENT, Fetch
from tests.support.pages import text

pytestmark = pytest.mark.django_db
LIST = "/admin/fetching/fetch/"


@pytest.fixture
def installed(settings, tmp_path):
    """An encoder folder, as far as a list of them needs it."""
    settings.MODELS_ROOT = tmp_path / "models"
    meta = {
        "label": "Drawn for a test",
        "kind": "image",
        "origin": "a pencil",
        "weights_sha256": "ab" * 32,
        "licence": "MIT",
        "dimension": 12,
        "words": False,
        "score": {},
    }

    def fill(folder):
        (folder / "weights.onnx").write_bytes(b"x" * 5_000)
        return meta

    return write_folder(settings.MODELS_ROOT, "drawn", fill)


def staff(client, **flags):
    client.force_login(User.objects.create_superuser("owner") if not flags else User.objects.create_user("x", **flags))
    return client


def test_an_encoder_is_listed_with_what_it_is(client, installed):
    page = text(staff(client).get(LIST))
    for text_of_it in ("Drawn for a test", installed.key, "a pencil", "MIT", "<td>12</td>", "KB"):
        assert text_of_it in page


def test_a_damaged_folder_does_not_hide_the_others(client, installed):
    (installed.path.parent / "broken").mkdir()
    (installed.path.parent / "broken" / "meta.json").write_text("{")
    assert [model.key for model in registry.installed_models()] == [installed.key]


def test_installing_is_a_job_that_shows_its_progress(
    client, installed, monkeypatch, django_capture_on_commit_callbacks
):
    lines = "print('first'); print('last')"
    monkeypatch.setattr(install, "command", lambda name: [sys.executable, "-c", lines])
    with django_capture_on_commit_callbacks(execute=True):
        answer = staff(client).post(f"{LIST}add/", {"name": "conse"}, follow=True)
    fetch = Fetch.objects.get()
    assert "The worker fetches conse" in text(answer)
    assert (fetch.name, fetch.state, fetch.stage, fetch.requested_by.username) == ("conse", "done", "last", "owner")
    assert client.get(f"{LIST}{fetch.pk}/state/").json()["state"] == "done"


def test_what_cannot_be_installed_says_why(client):
    fetch = install.request(name="there-is-no-such-model")
    install.run(fetch.pk)
    fetch.refresh_from_db()
    assert fetch.state == "failed"
    assert fetch.error


@pytest.mark.parametrize("name", ["", "smell", "--help", "clip:", "a b", "conse;ls"])
def test_only_names_of_models_are_installed(client, name):
    assert staff(client).post(f"{LIST}add/", {"name": name}).status_code == 200
    assert not Fetch.objects.exists()


def test_a_model_is_installed_once(installed, monkeypatch):
    started = []
    monkeypatch.setattr(install, "command", lambda name: started.append(name) or [sys.executable, "-c", ""])
    fetch = install.request(name="conse")
    install.run(fetch.pk)
    install.run(fetch.pk)
    assert started == ["conse"]


def test_an_install_whose_worker_is_dead_is_shown_as_lost(client, installed):
    fetch = Fetch.objects.create(name="conse", state="running")
    Fetch.objects.update(updated_at=fetch.updated_at - 2 * SILENT)
    assert "lost" in text(staff(client).get(LIST))
    assert client.get(f"{LIST}{fetch.pk}/state/").json()["state"] == "failed"


def test_strangers_install_nothing(client):
    assert staff(client, is_staff=True).post(f"{LIST}add/", {"name": "conse"}).status_code == 403
    client.logout()
    assert client.get(LIST)["Location"].startswith("/admin/login/")
