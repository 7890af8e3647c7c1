"""Loaded before the settings are: a data folder of the tests' own and, with TEST_SERVERS=1, real servers."""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest

from tests.support.default_encoders import folder
from tests.support.servers import Postgres, Redis, missing_programs

# Helpers of tests explain their assertions as tests do.
pytest.register_assert_rewrite(
    *(f"tests.support.{name}" for name in ("api", "indexes", "maps", "sites", "transfer", "versions"))
)

_started: list[Redis | Postgres] = []
DATA = tempfile.mkdtemp(prefix="imagesite-tests-")

SERVERS = ("DATABASE_URL", "CELERY_BROKER_URL")
ENCODERS = ("NEURAL_ENCODER", "SEMANTIC_ENCODER", "ENCODER_THREADS")
for name in (*SERVERS, *ENCODERS, "SPACE_INDEXES", "PUBLIC_READING", "HTTPS", "DEBUG", "SECRET_KEY"):
    os.environ.pop(name, None)
os.environ["IMAGESITE_DATA"] = DATA
os.environ["MODELS_ROOT"] = str(folder())

if os.environ.get("TEST_SERVERS"):
    if reason := missing_programs():
        raise pytest.UsageError(f"TEST_SERVERS=1, but {reason}")
    redis, postgres = Redis(), Postgres()
    _started = [redis, postgres]
    os.environ["CELERY_BROKER_URL"], os.environ["DATABASE_URL"] = redis.url, postgres.url


def pytest_unconfigure() -> None:
    for server in _started:
        server.stop()
    shutil.rmtree(DATA, ignore_errors=True)
