"""What is taken of a site's answer, and how long it may take."""

import socket
import threading

import pytest
from pytest_django import Settings

from gallery.url_fetch import fetch
from tests.support.waiting import DEADLINE
from tests.support.websites import PICTURE, Site, failure


@pytest.mark.parametrize("path", ["/picture", "/picture#part\n", "/unannounced", "/chunked", "/redirect?/picture"])
def test_it_fetches_the_bytes_as_they_are(site: Site, path: str) -> None:
    assert fetch(site.url(path)) == PICTURE


def test_every_bad_status_reads_the_same(site: Site) -> None:
    messages = {failure(site.url(f"/status?{status}")) for status in (201, 204, 304, 401, 403, 404, 500)}
    assert len(messages) == 1
    assert "No picture was found" in messages.pop()


def test_it_gives_nothing_away_and_uses_no_proxy(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:1")
    fetch(site.url("/redirect?/picture"))
    assert {name.lower(): value for name, value in site.asked[-1].headers.items()} == {
        "host": f"127.0.0.1:{site.server_port}",
        "user-agent": "imagesite/1",
        "accept": "image/*",
        "accept-encoding": "identity",
    }


@pytest.mark.parametrize("path", ["/announced", "/unannounced", "/chunked"])
def test_too_large_a_file_is_refused(site: Site, settings: Settings, path: str) -> None:
    settings.MAX_IMAGE_BYTES = len(PICTURE) - 1
    assert "larger than 8 bytes" in failure(site.url(path))


@pytest.mark.parametrize("path", ["/picture", "/unannounced", "/chunked"])
def test_a_file_of_just_the_limit_is_taken(site: Site, settings: Settings, path: str) -> None:
    settings.MAX_IMAGE_BYTES = len(PICTURE)
    assert fetch(site.url(path)) == PICTURE


def test_a_body_that_breaks_off_or_is_packed_is_refused(site: Site) -> None:
    assert "could not be reached" in failure(site.url("/cut_short"))
    assert "No picture was found" in failure(site.url("/gzip"))


@pytest.mark.parametrize("path", ["/silence", "/slow_body", "/slow_headers", "/redirect?/slow_headers"])
def test_a_slow_site_is_given_up(site: Site, settings: Settings, path: str) -> None:
    settings.FETCH_TIMEOUT = 0.4
    assert "longer than 0.4 seconds" in failure(site.url(path))
    assert not site.dripped_to_the_end


def test_a_slow_name_server_is_given_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.FETCH_TIMEOUT = 0.2
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(DEADLINE))
    assert "longer than 0.2 seconds" in failure("http://pictures.test/")
    over.set()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_site_that_does_not_connect_is_told_without_detail(settings: Settings, scheme: str) -> None:
    settings.FETCH_PRIVATE_ADDRESSES, settings.FETCH_TIMEOUT = True, 2
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/"
        if scheme == "https":
            assert "could not be reached" in failure(url)
    assert "could not be reached" in failure(url)


def test_it_follows_three_redirects_and_no_more(site: Site) -> None:
    assert fetch(site.url("/chain?3")) == PICTURE
    assert "redirects too many times" in failure(site.url("/chain?4"))
    assert "redirects too many times" in failure(site.url("/loop"))
