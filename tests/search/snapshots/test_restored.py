"""A database that was put back to an older state: what processes and snapshots know beyond it is forgotten."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from search.features.versions import state_of
from search.methods import METHODS
from search.models import Feature, Space
from search.snapshots import build
from tests.support.sites import Peer, Site
from tests.support.snapshots import first


class Backup:
    """A copy of the site's SQLite database, and the way back."""

    def __init__(self, site: Site) -> None:
        self.live = Path(site.environment["IMAGESITE_DATA"]) / "db.sqlite3"
        self.kept = self.live.with_name("backup.sqlite3")
        self.copy(self.live, self.kept)

    def restore(self) -> None:
        self.copy(self.kept, self.live)

    def copy(self, source: Path, target: Path) -> None:
        one, other = sqlite3.connect(source), sqlite3.connect(target)
        one.backup(other)
        one.close()
        other.close()


def fill(peer: Peer, paths: list[Path]) -> list[int]:
    added = [peer("add", path) for path in paths]
    for image_id in added:
        peer("extract", image_id)
    return added


def built(peer: Peer) -> None:
    for space in METHODS:
        assert peer("build", space) is not None


@pytest.mark.parametrize("backend", ["embedded", "milvus"])
def test_an_older_backup_of_the_database_is_noticed_by_running_and_by_new_processes(
    site: Site, pictures: list[Path], request: pytest.FixtureRequest, backend: str
) -> None:
    if backend == "milvus":
        site.environment |= {"INDEX_BACKEND": backend, "MILVUS_URI": request.getfixturevalue("milvus").uri}
    running, writer = site.peer(), site.peer()
    old = fill(writer, pictures[:4])
    built(writer)
    backup = Backup(site)
    late = fill(writer, pictures[4:8])
    built(writer)  # the older folder is pruned now
    assert {found[0] for found in running("find", pictures[5]).values()} == {late[1]}
    backup.restore()
    for peer in (running, site.peer()):
        for path, image_id in zip(pictures[:4], old, strict=True):
            found = peer("find", path)
            assert all(keys[0] == image_id and sorted(keys) == old for keys in found.values())
    built(writer)
    assert all(sorted(keys) == old for keys in site.peer()("find", pictures[0]).values())
    assert all(sorted(keys) == old for keys in running("find", pictures[0]).values())


@pytest.mark.parametrize("more", [2, 4, 6])
def test_another_history_after_a_backup_is_told_from_the_one_that_was_seen(
    site: Site, pictures: list[Path], more: int
) -> None:
    """The ids and numbers of the lost pictures are given out again, to others, while a process does not look."""
    running, writer = site.peer(), site.peer()
    old = fill(writer, pictures[:4])
    built(writer)
    backup = Backup(site)
    lost = fill(writer, pictures[4:8])
    assert {found[0] for found in running("find", pictures[4]).values()} == {lost[0]}
    backup.restore()
    other = fill(site.peer(), pictures[8 : 8 + more])
    assert set(lost) & set(other), "no id was given out twice, so nothing is tested"
    for path, image_id in zip(pictures[:4] + pictures[8 : 8 + more], old + other, strict=True):
        assert {found[0] for found in running("find", path).values()} == {image_id}


@pytest.mark.parametrize("space", METHODS)
def test_a_snapshot_from_the_future_is_not_used_and_built_anew(space: str, ids: list[int]) -> None:
    """Only the head was put back: the snapshot knows changes that the database does not."""
    build.build(space)
    Feature.objects.filter(space=space, image_id__in=ids[8:]).delete()
    Space.objects.filter(pk=space).update(head=8, token="another")
    key, skipped = first(2, space)
    assert key == ids[2]
    assert "restored from a backup" in skipped[space]
    assert build.due(state_of(space))
    fresh = build.build(space)
    assert fresh
    assert (fresh.sequence, fresh.count) == (8, 8)
    assert first(2, space) == (ids[2], {})
