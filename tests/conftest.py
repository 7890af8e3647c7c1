"""Fixtures: a clean data folder for every test, collected static files, and a worker that runs what is queued."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from celery import current_app
from django.conf import settings
from django.core.cache import cache

from search.features import backlog
from search.features.versions import states_of
from search.jobs.sweeping import sweep
from search.methods import METHODS
from search.models import Job
from search.retrieval.live import forget
from tests.cluster.network import NO_NAMESPACES
from tests.support import milvus_server, s3_server
from tests.support.default_encoders import make_missing
from tests.support.milvus_server import LentCollections, MilvusServer, missing_milvus
from tests.support.paths import SHARED_DATA
from tests.support.servers import Postgres, Redis, missing_programs
from tests.support.static_files import collect
from tests.upgrade.proof import NO_HISTORY

# What a continuous-integration run may skip; everything else has to run there.
MAY_SKIP_ON_CI: tuple[str, ...] = ()
IMPOSSIBLE = (milvus_server.OTHER_PROCESSOR, s3_server.OTHER_PROCESSOR, NO_NAMESPACES, NO_HISTORY)
NO_PICTURES = "needs the pictures of the evaluation"
if os.environ.get("WITHOUT_PICTURES"):  # a run of CI that says that it cannot have them
    IMPOSSIBLE += (NO_PICTURES,)


# `make test-fast` leaves these out: they start servers, browsers or other processes, or make encoders.
LONGEST = ("cluster", "upgrade")  # begun first: what takes long is not left for the end, when others are idle
SLOW_FOLDERS = ("browser", "cluster", "upgrade")
SLOW_FILES = ("gallery/test_robust_files.py", "imagesite/test_no_torch.py", "search/encoders/test_fetch_models.py")
SLOW_FIXTURES = {"bucket", "chromium", "milvus", "s3", "servers", "shared_data", "site", "sites", "start"}
ROOT_OF_TESTS = Path(__file__).parent


def is_slow(item: pytest.Item) -> bool:
    path = item.path.relative_to(ROOT_OF_TESTS)
    fixtures = SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ()))
    return path.parts[0] in SLOW_FOLDERS or path.as_posix() in SLOW_FILES or bool(fixtures)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow_files = {item.path for item in items if is_slow(item)}
    items.sort(key=lambda item: (item.path not in slow_files, item.path.parent.name not in LONGEST))
    for item in items:
        if is_slow(item):
            item.add_marker(pytest.mark.slow)
        if "shared_data" in getattr(item, "fixturenames", ()) and not SHARED_DATA.is_dir():
            item.add_marker(pytest.mark.skip(reason=f"{NO_PICTURES} in {SHARED_DATA.name}/, which are not here"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """On CI a skipped test that should have run there has failed."""
    report = yield
    may = item.name in MAY_SKIP_ON_CI or any(reason in str(report.longrepr) for reason in IMPOSSIBLE)
    if os.environ.get("CI") and report.skipped and not may:
        report.outcome = "failed"
        report.longrepr = f"skipped on CI: {report.longrepr}"
    return report


@pytest.fixture
def shared_data() -> Path:
    """The folder of real pictures; tests that ask for it are skipped where it is absent."""
    return SHARED_DATA


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """SQLite in a file: in memory it has neither WAL nor threads."""
    from django.db import connection

    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = str(tmp_path_factory.mktemp("db") / "test.sqlite3")


@pytest.fixture(scope="session", autouse=True)
def static_files() -> None:
    """Pages need the names of collected files."""
    collect()


@pytest.fixture(scope="session", autouse=True)
def registered_tasks() -> None:
    """Tasks are sent by name; eager mode runs those that are registered, as they are in a worker."""
    current_app.autodiscover_tasks(force=True)


@pytest.fixture(scope="session", autouse=True)
def encoders() -> Path:
    """The folder of the default encoders; every space can answer."""
    make_missing(settings.MODELS_ROOT)
    return settings.MODELS_ROOT


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, str]]:
    if reason := missing_programs():
        pytest.skip(reason)
    redis, postgres = Redis(), Postgres()
    yield {"DATABASE_URL": postgres.url, "CELERY_BROKER_URL": redis.url}
    redis.stop()
    postgres.stop()


@pytest.fixture(scope="session")
def milvus() -> Iterator[MilvusServer]:
    """A real server, that the site is connected to."""
    if reason := missing_milvus():
        pytest.skip(reason)
    server = MilvusServer()
    with server.connected():
        yield server
    server.stop()


@pytest.fixture(scope="session")
def milvus_collections(milvus: MilvusServer) -> LentCollections:
    return LentCollections()


@pytest.fixture
def milvus_at_once(milvus_collections: LentCollections, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """New indexes get emptied collections of earlier tests: making one takes Milvus two seconds."""
    monkeypatch.setattr("search.indexes.milvus.index.new_collection", milvus_collections.lend)
    yield
    milvus_collections.take_back()


@pytest.fixture(autouse=True)
def clean_data(settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.SNAPSHOT_ROOT = tmp_path / "snapshots"
    cache.clear()
    current_app.conf.task_always_eager = True
    current_app.conf.task_eager_propagates = True
    forget()


@pytest.fixture
def worker(django_capture_on_commit_callbacks) -> Callable[[], None]:
    """Run all that is queued or missing, jobs included, until nothing is left."""

    def work() -> None:
        for _ in range(20):
            with django_capture_on_commit_callbacks(execute=True):
                sweep(at_once=True)
            waiting = backlog.lacking(states_of(METHODS), thumbnails=True).exists()
            unfinished = Job.objects.filter(state__in=[Job.State.QUEUED, Job.State.RUNNING]).exists()
            if not waiting and not unfinished:
                return
        raise AssertionError("the work does not end")

    return work
