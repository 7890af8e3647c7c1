"""What strangers sent once, and must not hurt again."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks
from django.test import Client

from gallery.models import Tag
from gallery.services import add_image, update_image
from tests.support.images import encode, scene

pytestmark = pytest.mark.django_db


def test_a_tag_is_never_longer_than_its_column() -> None:
    image = add_image(data=encode(scene(1, (60, 60)), "PNG")).image
    update_image(image=image, tags=["\u0130" * 50])
    assert max(len(tag.name) for tag in Tag.objects.all()) <= 50


def test_a_thousand_words_are_no_error(client: Client) -> None:
    assert client.get("/api/images/", {"q": "a " * 1_000}).status_code in {200, 400}


def test_a_request_larger_than_any_form_is_refused_unread(client: Client) -> None:
    for path in ("/search/", "/add/", "/api/images/"):
        answer = client.post(path, {"url": ""}, CONTENT_LENGTH=str(10**12))
        assert answer.status_code == 413


def test_the_documentation_has_no_options(client: Client) -> None:
    assert client.options("/api/docs/").status_code == 405


def test_deep_json_is_a_bad_request(client: Client) -> None:
    from tests.support.api import writer

    answer = writer().patch("/api/images/1/", "[" * 100_000, content_type="application/json")
    assert answer.status_code in {400, 404}


def test_a_small_most_is_also_the_default(client: Client, settings) -> None:
    settings.MAX_RESULTS = 3
    image = add_image(data=encode(scene(1, (60, 60)), "PNG")).image
    assert client.get(f"/api/images/{image.pk}/similar/").status_code == 200


def test_a_throttle_that_is_no_rate_is_told_at_the_start(settings) -> None:
    rates = {"search": "5/fortnight", "upload": None, "fetch": "60/min"}
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": rates}
    settings.MAX_RESULTS = settings.UPLOADS_AT_ONCE = 0
    assert {"search.E003", "search.E004", "gallery.E001"} <= {message.id for message in run_checks()}
