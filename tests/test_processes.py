"""Real processes on real brokers and databases: fresh everywhere, and nothing lost when they are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from search.methods import METHODS
from tests.drawings import encode, scene
from tests.servers import Postgres, Redis, missing_programs, wait_until

ROOT = Path(__file__).resolve().parent.parent
PICTURES = 60


class Site:
    """A data folder with its database and broker, and the processes that work on it."""

    def __init__(self, folder: Path, *, migrated: bool = True, **environment: str) -> None:
        clean = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "CELERY_BROKER_URL"}}
        self.environment = clean | {"IMAGESITE_DATA": str(folder / "data"), "SWEEP_SECONDS": "2", **environment}
        self.started: list[subprocess.Popen[str]] = []
        if migrated:
            self.migrate()

    def migrate(self) -> None:
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=self.environment, check=True)

    def start(self, *command: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def worker(self) -> subprocess.Popen[str]:
        return self.start("celery", "-A", "imagesite", "worker", "-B", "-c", "2", "-l", "warning")

    def peer(self) -> Peer:
        return Peer(self.start("tests.peer"))

    def kill_all(self) -> None:
        for process in self.started:
            kill(process)


class Peer:
    """A process that answers commands, see tests/peer.py."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def __call__(self, verb: str, argument: object = "") -> object:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{verb} {argument}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"{verb} killed the process"
        return json.loads(answer)


def kill(process: subprocess.Popen[str]) -> None:
    """kill -9 for the process and all it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, str]]:
    if reason := missing_programs():
        pytest.skip(reason)
    redis, postgres = Redis(), Postgres()
    yield {"DATABASE_URL": postgres.url, "CELERY_BROKER_URL": redis.url}
    redis.stop()
    postgres.stop()


@pytest.fixture(params=["embedded", "servers"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    environment = request.getfixturevalue("servers") if request.param == "servers" else {}
    site = Site(tmp_path, **environment)
    yield site
    site.kill_all()
    if environment:
        peer = site.peer()
        peer("empty")
        kill(peer.process)


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{seed}.jpg" for seed in range(PICTURES)]
    for seed, path in enumerate(paths):
        path.write_bytes(encode(scene(seed, (320, 240)), "JPEG", quality=90))
    return paths


def test_what_one_process_commits_the_other_finds_on_its_next_query(site: Site, pictures: list[Path]) -> None:
    one, other = site.peer(), site.peer()
    assert other("find", pictures[0]) == {space: [] for space in METHODS}
    added = [one("add", path) for path in pictures[:3]]
    for image_id in added:
        one("extract", image_id)
    assert {ids[0] for ids in other("find", pictures[0]).values()} == {added[0]}
    for space in METHODS:
        one("build", space)
    assert {ids[0] for ids in other("find", pictures[1]).values()} == {added[1]}


def test_a_deleted_picture_is_gone_from_both_and_stays_gone_after_a_kill(site: Site, pictures: list[Path]) -> None:
    one, other = site.peer(), site.peer()
    added = [one("add", path) for path in pictures[:4]]
    for image_id in added:
        one("extract", image_id)
    for space in METHODS:
        one("build", space)
    assert {ids[0] for ids in other("find", pictures[2]).values()} == {added[2]}
    one("delete", added[2])
    kill(one.process)
    for peer in (other, site.peer()):
        found = peer("find", pictures[2])
        assert all(added[2] not in ids and len(ids) == 3 for ids in found.values())
        peer("build", "phash")
    assert added[2] not in site.peer()("find", pictures[2])["phash"]


def test_nothing_is_lost_when_workers_are_killed_in_the_middle(site: Site, pictures: list[Path]) -> None:
    peer = site.peer()
    added = [peer("add", path) for path in pictures]
    worker = site.worker()
    wait_until(lambda: peer("count") > 0, 60, "the first feature")
    kill(worker)
    assert peer("pending") > 0, "the worker was killed too late for this test to mean anything"
    site.worker()
    wait_until(lambda: peer("pending") == 0, 60, "all features after the restart")
    for image_id, path in zip(added, pictures, strict=True):
        assert {ids[0] for ids in peer("find", path).values()} == {image_id}
