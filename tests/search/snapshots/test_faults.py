"""Killed, damaged, full, doubled: what is stored is found, and the next build is whole."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from search import tasks
from search.exceptions import SnapshotDamaged
from search.features.versions import state_of
from search.jobs import reindexing
from search.methods import METHODS
from search.models import Job, Snapshot, Space
from search.snapshots import build
from tests.support.servers import Postgres, missing_programs
from tests.support.sites import Peer, Site, kill
from tests.support.snapshots import COUNT, add, first, loaded, newest
from tests.support.waiting import DEADLINE, wait_until

DAMAGES = 200


NO_ROOM = r"No space|too large|could be written|requested and \d+ written"


Room = Callable[[], AbstractContextManager[None]]


@pytest.mark.parametrize("space", METHODS)
def test_a_build_killed_at_any_step_loses_nothing_and_the_next_one_is_whole(site: Site, space: str) -> None:
    process = site.start("tests.support.crashing", space)
    told = [json.loads(line) for line in process.communicate(timeout=6 * DEADLINE)[0].splitlines()]
    ends, looks = told[::2], told[1::2]
    assert len(ends) > 20, "hardly a step was found to kill the build at"
    assert [one["ended"] for one in ends] == [signal.SIGKILL] * (len(ends) - 1) + [0]
    whole = {"found": True, "problems": ["", ""], "clean": True, "built": True}
    assert [(step, one) for step, one in enumerate(looks, 1) if one != whole] == []
    assert len(looks) == len(ends)


def damaged(whole: bytes, dice: random.Random) -> bytes:
    """Cut somewhere, or with one bit turned."""
    place = dice.randrange(len(whole))
    if dice.random() < 0.5:
        return whole[:place]
    return whole[:place] + bytes([whole[place] ^ 1 << dice.randrange(8)]) + whole[place + 1 :]


def put(path: Path, data: bytes) -> None:
    """As a new file: the old one may still be mapped."""
    path.unlink()
    path.write_bytes(data)


@pytest.mark.parametrize("space", METHODS)
def test_every_damage_is_noticed_and_the_snapshot_before_or_a_rebuild_serves(
    space: str, ids: list[int], settings
) -> None:
    old = build.build(space)
    late = add(COUNT)
    new = build.build(space)
    assert old
    assert new
    dice = random.Random(space)
    files = sorted((settings.SNAPSHOT_ROOT / new.folder).iterdir())
    for turn in range(DAMAGES // len(METHODS)):
        path = dice.choice(files)
        whole = path.read_bytes()
        put(path, damaged(whole, dice))
        with pytest.raises(SnapshotDamaged):
            loaded(new)
        asked, right = dice.choice([(3, ids[3]), (COUNT, late)])
        key, skipped = first(asked, space)
        assert key == right
        assert "damaged" in skipped[space]
        assert newest(space).snapshot == old
        assert build.due(state_of(space))
        if turn % 10 == 0:
            assert build.build(space)
            assert first(asked, space) == (right, {})
            Snapshot.objects.filter(pk__gt=new.pk).delete()
            Space.objects.filter(pk=space).update(snapshot=new)
        put(path, whole)
        Snapshot.objects.filter(pk=new.pk).update(problem="")
    assert first(COUNT, space) == (late, {})


@contextmanager
def no_long_files() -> Iterator[None]:
    """Every file ends at 300 bytes, as if the disk were full there."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


@pytest.fixture
def small_disk(settings, tmp_path: Path) -> Iterator[Room]:
    """A disk of its own for the snapshots where we may mount one, else a limit on the size of files."""
    settings.SNAPSHOT_ROOT = root = tmp_path / "disk"
    root.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(root)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        yield no_long_files
        return

    @contextmanager
    def no_room() -> Iterator[None]:
        disk = os.statvfs(root)
        ballast = root / "ballast"
        ballast.write_bytes(bytes((disk.f_bavail - 1) * disk.f_bsize))
        yield
        ballast.unlink()

    yield no_room
    subprocess.run(["umount", "--lazy", str(root)], check=True)


def assert_a_full_disk_does_no_harm(space: str, ids: list[int], full: Room, root: Path) -> None:
    good = build.build(space)
    late = add(COUNT)
    with full():
        with pytest.raises(OSError, match=NO_ROOM):
            build.build(space)
        assert good
        assert newest(space).snapshot == good
        assert first(COUNT, space) == (late, {})
    fresh = build.build(space)
    assert fresh
    assert loaded(fresh).keys().tolist() == [*ids, late]
    named = {Path(one.folder).name for one in Snapshot.objects.filter(space=space)}
    assert {path.name for path in (root / space).iterdir()} == named


@pytest.mark.parametrize("space", METHODS)
def test_a_full_disk_stops_the_build_and_nothing_else(space: str, ids: list[int], small_disk: Room, settings) -> None:
    assert_a_full_disk_does_no_harm(space, ids, small_disk, settings.SNAPSHOT_ROOT)


@pytest.mark.parametrize("space", METHODS)
def test_a_file_that_cannot_grow_stops_the_build_and_nothing_else(space: str, ids: list[int], settings) -> None:
    assert_a_full_disk_does_no_harm(space, ids, no_long_files, settings.SNAPSHOT_ROOT)


def test_a_job_whose_snapshot_cannot_be_written_says_why(ids: list[int], settings) -> None:
    job = reindexing.start_job(spaces=["color"])
    settings.SNAPSHOT_ROOT.mkdir(exist_ok=True)
    (settings.SNAPSHOT_ROOT / "color").write_bytes(b"in the way")
    with pytest.raises(OSError, match="color"):
        tasks.advance_job(job.pk)
    told = Job.objects.get(pk=job.pk)
    assert told.state == "failed"
    assert "Not a directory" in told.error


def test_two_snapshotters_at_once_do_each_others_work_no_harm(site: Site, pictures: list[Path]) -> None:
    builders, writer = [site.peer(), site.peer()], site.peer()

    def build_often(peer: Peer) -> list[object]:
        return [peer("build", "phash") for _ in range(20)]

    with ThreadPoolExecutor() as pool:
        built = [pool.submit(build_often, peer) for peer in builders]
        added = []
        for path in pictures:
            added.append(writer("add", path))
            writer("extract", added[-1])
        sequences = [sequence for one in built for sequence in one.result() if sequence is not None]
    assert len(sequences) == len(set(sequences)), "one state was built twice"
    writer("build", "phash")
    for path, image_id in zip(pictures, added, strict=True):
        assert writer("find", path)["phash"][0] == image_id
    root = Path(site.environment["IMAGESITE_DATA"]) / "snapshots" / "phash"
    assert len(list(root.iterdir())) == 1


def stopped(process: subprocess.Popen[str]) -> bool:
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_a_snapshotter_that_hangs_blocks_the_next_one_only_until_it_is_dead(site: Site, pictures: list[Path]) -> None:
    peer = site.peer()
    peer("extract", peer("add", pictures[0]))
    hanging = site.start("tests.support.crashing", "phash", "hang")
    wait_until(lambda: stopped(hanging), "the stop in the middle of a build")
    assert peer("build", "phash") is None
    kill(hanging)
    assert peer("build", "phash") == 2


def test_of_two_machines_that_share_a_database_one_builds(tmp_path: Path, pictures: list[Path]) -> None:
    if reason := missing_programs():
        pytest.skip(reason)
    postgres = Postgres()
    one, other = (Site(tmp_path / name, DATABASE_URL=postgres.url) for name in ("one", "other"))
    try:
        peer = other.peer()
        peer("extract", peer("add", pictures[0]))
        hanging = one.start("tests.support.crashing", "phash", "hang")
        wait_until(lambda: stopped(hanging), "the stop in the middle of a build")
        assert peer("build", "phash") is None
        assert peer("build", "color") == 2
        kill(hanging)
        assert peer("build", "phash") == 2
    finally:
        one.kill_all()
        other.kill_all()
        postgres.stop()


def test_a_clock_that_is_put_back_delays_no_build_for_ever(ids: list[int]) -> None:
    """A snapshot that was made a day later than now is what the clock leaves."""
    build.build("phash")
    add(COUNT)
    assert not build.due(state_of("phash"))
    Snapshot.objects.update(created_at=timezone.now() + timedelta(days=1))
    assert build.due(state_of("phash"))
    fresh = build.build("phash")
    assert fresh
    assert fresh.count == COUNT + 1
    assert Space.objects.get(pk="phash").snapshot == fresh
