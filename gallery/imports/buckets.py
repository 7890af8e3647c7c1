"""Pictures in an S3 bucket, ``s3://bucket/prefix``, reached as the site's own media are if those are on S3."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.storage import default_storage
from django.utils.translation import gettext_lazy
from storages.backends.s3 import S3Storage

from gallery.exceptions import SourceUnavailable
from gallery.imports.entry import Entry, check_size

SCHEME = "s3://"


def is_bucket(path: str) -> bool:
    """Whether this is the address of a bucket, or of something in one."""
    return path.startswith(SCHEME)


def entries(path: str) -> Iterator[Entry]:
    """The object of this name and all below it as a folder. Raises SourceUnavailable."""
    bucket, _, prefix = path.removeprefix(SCHEME).partition("/")
    client, folder = _client(bucket), prefix.rstrip("/") + "/"
    try:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix.rstrip("/")):
            for item in page.get("Contents", ()):
                key = item["Key"]
                # S3 knows no folders: the prefix a/b also lists a/bc, and a folder is a key that ends with "/".
                if not key.endswith("/") and (not prefix or key == prefix or key.startswith(folder)):
                    origin = f"{SCHEME}{bucket}/{key} {item['ETag']} {item['Size']}"
                    read = partial(_read, client, bucket, key, item["Size"])
                    yield Entry(f"{SCHEME}{bucket}/{key}", read, origin=origin)
    except (BotoCoreError, ClientError) as error:
        text = gettext_lazy("%(bucket)s cannot be listed: %(reason)s")
        raise SourceUnavailable("not_listed", text, bucket=f"{SCHEME}{bucket}", reason=_in_line(error)) from error


def _client(bucket: str) -> Any:
    """A client with the site's options if its media are on S3; else with those of the usual AWS variables.

    Raises SourceUnavailable.
    """
    media_on_s3 = isinstance(default_storage, S3Storage)
    options = settings.STORAGES["default"].get("OPTIONS", {}) if media_on_s3 else {}
    try:
        return S3Storage(**{**options, "bucket_name": bucket, "location": ""}).connection.meta.client
    except (BotoCoreError, ValueError) as error:
        text = gettext_lazy("%(bucket)s cannot be reached: %(reason)s")
        raise SourceUnavailable("not_reached", text, bucket=f"{SCHEME}{bucket}", reason=_in_line(error)) from error


def _read(client: Any, bucket: str, key: str, size: int) -> bytes:
    """Raises OSError, or ImageRejected if it is too large."""
    check_size(size)
    try:
        body = client.get_object(Bucket=bucket, Key=key)["Body"]
        with body:
            data: bytes = body.read(settings.MAX_IMAGE_BYTES + 1)
            return data
    except (BotoCoreError, ClientError) as error:
        raise OSError(_in_line(error)) from error


def _in_line(error: Exception) -> str:
    """The server's message in one line, cut to a length that people read."""
    return " ".join(str(error).split())[:300]
