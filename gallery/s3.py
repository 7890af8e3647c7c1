"""Files on S3."""

from __future__ import annotations

from typing import Any

from botocore.config import Config
from storages.backends.s3 import S3Storage

# Seconds, seconds, tries. boto's own would keep a request waiting for five minutes where nobody answers.
TIMEOUTS: dict[str, Any] = {"connect_timeout": 3, "read_timeout": 10, "retries": {"total_max_attempts": 2}}


class BriefS3Storage(S3Storage):
    """The one of django-storages, with ``TIMEOUTS``.

    A subclass, because a ``client_config`` among its options would replace what it makes of the other options.
    """

    client_config: Config

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.client_config = self.client_config.merge(Config(**TIMEOUTS))
