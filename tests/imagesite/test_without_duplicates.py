"""The duplicates app can be left out: the trash is the gallery's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.images import write_scenes
from tests.support.sites import Site
from tests.support.waiting import wait_until


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path, DJANGO_SETTINGS_MODULE="tests.support.settings_without_duplicates", SWEEP_SECONDS="0.5")
    yield site
    site.kill_all()


def test_the_site_answers_and_the_trash_empties_itself(site: Site, tmp_path: Path) -> None:
    peer = site.peer()
    added = [peer("add", path) for path in write_scenes(tmp_path, 2)]
    peer("manage", "collectstatic --no-input --verbosity 0")
    peer("trash_long_ago", added[0])
    assert peer("stored") == 2
    pages = ["/", f"/images/{added[1]}/", "/trash/", "/add/", "/map/", "/api/duplicates/trash/", "/api/schema/"]
    assert {path: peer("status", path) for path in pages} == dict.fromkeys(pages, 200)
    assert peer("status", "/duplicates/") == peer("status", "/api/duplicates/") == 404
    site.worker()
    wait_until(lambda: peer("stored") == 1, "emptying the trash")
