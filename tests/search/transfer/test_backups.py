"""A site as it was: backups are of one moment, checked before they are used, and searches find the same afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from search.methods import METHODS
from tests.support.paths import ROOT
from tests.support.sites import Peer, Site
from tests.support.transfer import flip


@pytest.fixture(params=["embedded", "servers"])
def sites(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Site, Site]]:
    """Two sites, each with a database of its own, in the second of which is nothing at all, not even tables."""
    made: list[Site] = []
    names = ("one", "other")
    environment = dict(request.getfixturevalue("servers")) if request.param == "servers" else {}
    url = environment.get("DATABASE_URL", "")
    if url:
        with psycopg.connect(url, autocommit=True) as connection:
            for name in names:
                connection.execute(f"CREATE DATABASE {name}")
    for name in names:
        if url:
            environment |= {"DATABASE_URL": urlsplit(url)._replace(path=name).geturl()}
        made.append(Site(tmp_path / name, migrated=name == "one", **environment))
    yield made[0], made[1]
    for site in made:
        site.kill_all()
    if url:
        with psycopg.connect(url, autocommit=True) as connection:
            for name in names:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def fill(peer: Peer, paths: list[Path]) -> list[int]:
    added = [int(str(peer("add", path))) for path in paths]
    for image_id in added:
        peer("extract", image_id)
    for space in METHODS:
        peer("build", space)
    return added


def found(peer: Peer, paths: list[Path]) -> list[object]:
    return [peer("find", path) for path in paths]


def test_a_restored_site_finds_what_it_found(sites: tuple[Site, Site], pictures: list[Path], tmp_path: Path) -> None:
    site, other = sites
    peer, target = site.peer(), tmp_path / "kept"
    old = fill(peer, pictures[:4])
    before = found(peer, pictures[:4])
    assert peer("manage", f"backup {target} --files") == f"{target} is written.\n"
    fill(peer, pictures[4:7])
    peer("delete", old[0])
    after = found(peer, pictures[:7])

    assert "is not empty" in str(peer("manage", f"restore {target}"))
    (snapshot,) = (target / "snapshots" / "color").iterdir()
    (original, *_) = (target / "files").rglob("*.jpg")
    (database,) = target.glob("database.*")
    for path in (database, original, target / "media.jsonl", target / "backup.json", next(snapshot.iterdir())):
        flip(path, path.stat().st_size // 2)
        assert "error: " in str(peer("manage", f"restore {target} --replace")), path
        flip(path, path.stat().st_size // 2)
    assert found(peer, pictures[:7]) == after, "a damaged backup changed something"

    assert "The site is what it was" in str(peer("manage", f"restore {target} --replace"))
    assert len(dict(peer("images"))) == 4
    newcomer = site.peer()
    for each in (peer, newcomer):
        assert found(each, pictures[:4]) == before
        assert all(set(keys) <= set(old) for keys in dict(each("find", pictures[5])).values())
    fill(newcomer, pictures[8:10])
    assert [next(iter(one.values()))[0] for one in found(newcomer, pictures[:4])] == old

    empty = other.peer()
    assert "The site is what it was" in str(empty("manage", f"restore {target}"))
    assert found(empty, pictures[:4]) == before
    assert len(dict(empty("images"))) == 4
    assert empty("manage", "check_index").count("missing 0, orphaned 0") == len(METHODS)
    assert empty("pending") == 4, "thumbnails are not in a backup"
    for image_id in old:
        empty("extract", image_id)
    assert empty("pending") == 0


def test_a_restore_that_is_killed_leaves_the_one_or_the_other_and_can_be_run_again(
    sites: tuple[Site, Site], pictures: list[Path], tmp_path: Path
) -> None:
    site, before, after = sites[0], tmp_path / "before", tmp_path / "after"
    peer = site.peer()
    ids = fill(peer, pictures[:2])
    peer("manage", f"backup {before} --files")
    ids += fill(peer, pictures[2:5])
    peer("manage", f"backup {after} --files")
    at, seconds = {2: before, 5: after}, restored(site, before)
    for share in (0.5, 0.6, 0.7, 0.8, 0.9):
        here = len(dict(peer("images")))
        restored(site, at[7 - here], seconds * share)
        here = len(dict(peer("images")))
        firsts = [{keys[0] for keys in dict(one).values()} for one in found(peer, pictures[:here])]
        assert firsts == [{key} for key in ids[:here]], share
    for count, target in at.items():
        restored(site, target)
        assert len(dict(peer("images"))) == count
        assert peer("manage", "check_index").count("missing 0, orphaned 0") == len(METHODS)


def restored(site: Site, target: Path, seconds: float | None = None) -> float:
    """How long it took; killed after ``seconds``."""
    command, started = [sys.executable, "manage.py", "restore", str(target), "--replace"], time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, env=site.environment, stdout=subprocess.DEVNULL)
    with suppress(subprocess.TimeoutExpired):
        assert process.wait(seconds) == 0
    process.kill()
    process.wait()
    return time.monotonic() - started


def test_a_backup_is_of_one_moment_and_asks_for_its_files(
    sites: tuple[Site, Site], pictures: list[Path], tmp_path: Path
) -> None:
    """Pictures are added while it is made; without the files of all of them it is not restored."""
    site, other = sites
    peer, writer, target = site.peer(), site.peer(), tmp_path / "kept"
    peer("add", pictures[0])
    stop = threading.Event()

    def add() -> None:
        for path in pictures[1:]:
            if not stop.is_set():
                writer("add", path)

    thread = threading.Thread(target=add)
    thread.start()
    said = peer("manage", f"backup {target}")
    stop.set()
    thread.join()
    assert said == f"{target} is written.\n"
    count = len((target / "media.jsonl").read_text().splitlines())
    empty = other.peer()
    refused = f"The files of {count} pictures are neither here nor in the backup"
    assert refused in str(empty("manage", f"restore {target}"))
    one, two = (Path(each.environment["IMAGESITE_DATA"]) for each in sites)
    two.mkdir(exist_ok=True)
    (one / "media").rename(two / "media")
    assert "The site is what it was" in str(empty("manage", f"restore {target}"))
    assert len(dict(empty("images"))) == count > 0


def test_what_cannot_be_done_with_a_database_is_told(tmp_path: Path, servers: dict[str, str]) -> None:
    here, there = Site(tmp_path / "here"), Site(tmp_path / "there", migrated=False, **servers)
    assert "is written" in str(here.peer()("manage", f"backup {tmp_path / 'kept'}"))
    there.environment["PATH"] = os.devnull
    peer = there.peer()
    refused = peer("manage", f"restore {tmp_path / 'kept'}")
    assert "This is a backup of sqlite, and this site is on postgresql" in str(refused)
    assert "pg_dump is not installed here" in str(peer("manage", f"backup {tmp_path / 'never'}"))
    assert not list(tmp_path.glob("*never*"))
    for site in (here, there):
        site.kill_all()
