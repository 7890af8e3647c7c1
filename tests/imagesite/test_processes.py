"""Real processes on real brokers and databases: fresh everywhere, and nothing lost when they are killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from search.methods import METHODS
from tests.support.images import write_scenes
from tests.support.sites import Site, kill
from tests.support.waiting import wait_until

PICTURES = 60


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
    return write_scenes(tmp_path, PICTURES)


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


def test_nothing_is_lost_when_workers_are_killed_in_the_middle(
    site: Site, pictures: list[Path], tmp_path: Path
) -> None:
    peer = site.peer()
    added = [peer("add", path) for path in pictures]
    worker = site.worker()
    wait_until(lambda: peer("count") > 0, "the first feature")
    kill(worker)
    while peer("pending") == 0:  # a worker that did all before it was killed gets more
        more = write_scenes(tmp_path, PICTURES, begin=len(pictures))
        pictures += more
        done = peer("count")
        worker = site.worker()
        added += [peer("add", path) for path in more]
        wait_until(lambda done=done: peer("count") > done, "the first feature of more pictures")
        kill(worker)
    site.worker()
    wait_until(lambda: peer("pending") == 0, "all features after the restart")
    for image_id, path in zip(added, pictures, strict=True):
        assert {ids[0] for ids in peer("find", path).values()} == {image_id}
