"""Files on S3."""

from __future__ import annotations

from typing import Any

from botocore.config import Config
from storages.backends.s3 import S3Storage

from gallery.web import timeouts


class BriefS3Storage(S3Storage):  # type: ignore[misc]
    """Django-storages' S3, that does not keep a request waiting for five minutes, as boto does where nobody answers."""

    client_config: Config

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.client_config = self.client_config.merge(Config(**timeouts.S3))
