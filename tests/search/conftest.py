"""A site of processes that keeps one snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sites import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path, SNAPSHOTS_KEPT="1")
    yield site
    site.kill_all()
