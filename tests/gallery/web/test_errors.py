"""Every error has one body, whatever went wrong and wherever."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import DatabaseError
from django.test import Client
from rest_framework.throttling import SimpleRateThrottle

from imagesite import views
from tests.support.api import add, error_of, holder, picture, writer

pytestmark = pytest.mark.django_db


@pytest.fixture
def rates(monkeypatch) -> dict[str, str | None]:
    """The throttle rates, to be changed; nothing was counted before."""
    cache.clear()
    changed: dict[str, str | None] = {"search": None, "upload": None, "fetch": None, "keep": None}
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", changed)
    return changed


@pytest.mark.parametrize("path", ["/api/", "/api/nothing/", "/api/images/x/", "/api/images/1/other/"])
def test_an_unknown_address_is_not_found(client: Client, path: str) -> None:
    error_of(client.get(path), 404)
    error_of(client.post(path), 404)


def test_an_address_without_its_last_slash_is_sent_on_with_method_and_body() -> None:
    client = writer()
    url = f"/api/images/{add(client)['id']}"
    answer = client.patch(url, {"title": "New"}, content_type="application/json", follow=True)
    assert answer.redirect_chain == [(f"{url}/", 308)]
    assert answer.json()["title"] == "New"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("put", "/api/images/"),
        ("delete", "/api/images/"),
        ("put", "/api/images/1/"),
        ("post", "/api/images/1/similar/"),
        ("get", "/api/search/image/"),
        ("post", "/api/search/text/"),
        ("post", "/api/spaces/"),
    ],
)
def test_a_method_that_an_address_does_not_know(client: Client, method: str, path: str) -> None:
    answer = getattr(client, method)(path)
    assert error_of(answer, 405)["code"] == "method_not_allowed"
    assert answer.headers["Allow"]


def test_a_wrong_token_is_refused_even_for_reading(client: Client) -> None:
    answer = client.get("/api/images/", headers={"Authorization": "Token wrong"})
    assert error_of(answer, 401)["code"] == "authentication_failed"
    assert answer.headers["WWW-Authenticate"] == "Token"


def test_a_session_writes_only_with_its_csrf_token() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("root"))
    assert "CSRF" in error_of(client.post("/api/images/", {"file": picture()}), 403)["message"]
    client.get("/admin/")
    token = client.cookies["csrftoken"].value
    sent = client.post("/api/images/", {"file": picture()}, headers={"X-CSRFToken": token})
    assert sent.status_code == 201


def test_a_closed_site_is_closed_to_strangers_only(client: Client, settings) -> None:
    image = add(writer())
    settings.PUBLIC_READING = False
    paths = ["/api/images/", f"/api/images/{image['id']}/", f"/api/images/{image['id']}/similar/"]
    for path in [*paths, "/api/search/text/?q=x", "/api/spaces/"]:
        error_of(client.get(path), 401)
        assert holder().get(path).status_code == 200
    error_of(client.post("/api/search/image/", {"file": picture()}), 401)
    assert holder().post("/api/search/image/", {"file": picture()}).status_code == 200


@pytest.mark.parametrize("scope", ["search", "upload", "fetch"])
def test_too_many_requests_are_told_when_to_come_back(client: Client, rates, scope: str) -> None:
    rates[scope] = "1/min"
    uploader = writer()
    send = {
        "search": lambda: client.post("/api/search/image/", {}),
        "upload": lambda: uploader.post("/api/images/", {}),
        "fetch": lambda: client.post("/api/search/image/", {"url": "http://127.0.0.1:1/"}),
    }[scope]
    error_of(send(), 400)
    answer = send()
    assert error_of(answer, 429)["code"] == "throttled"
    assert 0 < int(answer.headers["Retry-After"]) <= 60


def test_only_downloads_count_as_downloads(client: Client, rates) -> None:
    rates["fetch"] = "1/min"
    for _ in range(3):
        error_of(client.post("/api/search/image/", {}), 400)
    for _ in range(3):
        assert client.get("/api/images/").status_code == 200


def test_a_body_of_another_type_is_refused() -> None:
    error_of(writer().post("/api/images/", {"file": "x"}, content_type="application/json"), 415)
    error_of(writer().post("/api/search/image/", b"\x89PNG", content_type="image/png"), 415)
    url = f"/api/images/{add(writer())['id']}/"
    error_of(writer().patch(url, "<title/>", content_type="text/xml"), 415)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"no parts", "multipart/form-data"),
        (b"no parts", "multipart/form-data; boundary="),
        (b'--b\r\nContent-Disposition: form-data; name="file"', "multipart/form-data; boundary=b"),
        (b"", "multipart/form-data; boundary=b"),
    ],
)
def test_malformed_forms_are_refused(client: Client, body: bytes, content_type: str) -> None:
    error_of(writer().post("/api/images/", body, content_type=content_type), 400)
    error_of(client.post("/api/search/image/", body, content_type=content_type), 400)


@pytest.mark.parametrize("body", ["{", "[]", "5", '"x"', "null", "\udcff", '{"title": "\\ud800"}'])
def test_malformed_json_is_refused(body: str) -> None:
    url = f"/api/images/{add(writer())['id']}/"
    sent = body.encode("utf-8", "surrogateescape")
    error_of(writer().patch(url, sent, content_type="application/json"), 400)


def test_suspicious_requests_are_refused(client: Client, settings) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 3
    many = {f"field{n}": "x" for n in range(5)}
    error_of(client.post("/api/search/image/", many), 400)
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    error_of(client.post("/api/search/image/", {"region": "x" * 200}), 413)
    error_of(client.get("/api/images/", headers={"Host": "elsewhere.example"}), 400)


def test_an_answer_in_another_language_than_json_is_refused(client: Client) -> None:
    error_of(client.get("/api/images/", headers={"Accept": "text/csv"}), 406)
    error_of(client.get("/api/images/?format=xml"), 404)


def test_a_fault_of_the_site_has_the_same_body_and_is_logged(client: Client, monkeypatch, caplog) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("a fault made by this test")

    monkeypatch.setattr("gallery.web.paging.images", broken)
    client.raise_request_exception = False
    error = error_of(client.get("/api/images/"), 500)
    assert "a fault made" not in error["message"]
    assert "a fault made by this test" in caplog.text


def test_health_is_told_even_on_a_closed_site(client: Client, settings, monkeypatch) -> None:
    settings.PUBLIC_READING = False
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})

    def gone() -> None:
        raise DatabaseError

    monkeypatch.setattr(views.connection, "cursor", gone)
    assert client.get("/healthz").status_code == 503
