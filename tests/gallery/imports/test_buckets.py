"""Importing from buckets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError

from gallery.models import Image
from tests.support.imports import picture, run, titles
from tests.support.s3_server import S3Server, missing_s3

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    if reason := missing_s3():
        pytest.skip(reason)
    server = S3Server()
    for name in ("media", "source"):
        server.client().create_bucket(Bucket=name)
    yield server
    server.stop()


@pytest.fixture
def bucket(s3: S3Server, settings: Any) -> Any:
    """A client, and the site with its media in a bucket of the same server."""
    client = s3.client()
    options = s3.options | {"bucket_name": "media", "location": "below"}
    default = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"default": default}
    yield client
    for name in ("media", "source"):
        for entry in client.list_objects_v2(Bucket=name).get("Contents", ()):
            client.delete_object(Bucket=name, Key=entry["Key"])


def test_a_prefix_of_a_bucket_is_imported_and_only_what_changed_read_again(bucket: Any, settings: Any) -> None:
    objects = {"set/1.jpg": picture(1), "set/in/2.jpg": picture(2), "set/bad.jpg": b"bad", "settled/3.jpg": picture(3)}
    for key, body in objects.items():
        bucket.put_object(Bucket="source", Key=key, Body=body)
    expected = "2 added, 0 there already, 1 rejected.", {"bad.jpg": "not_an_image"}
    assert run("s3://source/set") == expected
    assert titles() == {"1", "2"}
    assert len(bucket.list_objects_v2(Bucket="media", Prefix="below/originals/")["Contents"]) == 2
    bucket.put_object(Bucket="source", Key="set/1.jpg", Body=picture(7))
    assert run("s3://source/set/")[0] == "1 added, 1 there already, 1 rejected."
    assert run("s3://source")[0] == "1 added, 2 there already, 1 rejected."
    settings.MAX_IMAGE_BYTES = 10
    assert run("s3://source/set/bad.jpg")[1] == {"bad.jpg": "not_an_image"}


def test_a_bucket_that_cannot_be_read_is_told_without_secrets(bucket: Any, s3: S3Server, settings: Any) -> None:
    with pytest.raises(CommandError, match=r"s3://nowhere cannot be listed: .*NoSuchBucket"):
        run("s3://nowhere/set")
    options = settings.STORAGES["default"]["OPTIONS"] | {"secret_key": "wrong"}
    wrong = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"default": wrong}
    with pytest.raises(CommandError, match="SignatureDoesNotMatch") as refused:
        run("s3://source/set")
    assert "wrong" not in str(refused.value)
    assert not Image.objects.exists()
