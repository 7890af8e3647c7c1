"""Certificates are checked."""

import pytest
from pytest_django import Settings

from gallery.url_fetch import fetch
from tests.support.websites import PICTURE, PUBLIC, Internet, failure


def test_https_is_checked_against_the_name(trusted: Internet) -> None:
    trusted.names["other.test"] = [[PUBLIC]]
    assert fetch("https://pictures.test./picture") == PICTURE
    assert trusted.connected == [(PUBLIC, 443)]
    assert "could not be reached" in failure("https://other.test/picture")
    assert "could not be reached" in failure(f"https://{PUBLIC}/picture")
    assert len(trusted.routes[PUBLIC].asked) == 1


@pytest.mark.parametrize("path", ["/slow_body", "/slow_headers"])
def test_a_slow_https_site_is_given_up(trusted: Internet, settings: Settings, path: str) -> None:
    settings.FETCH_TIMEOUT = 1.5
    assert "longer than 1.5 seconds" in failure(f"https://pictures.test{path}")
    assert not trusted.routes[PUBLIC].dripped_to_the_end


def test_an_unknown_authority_is_refused(secure: Internet) -> None:
    assert "could not be reached" in failure("https://pictures.test/picture")
    assert secure.routes[PUBLIC].asked == []
