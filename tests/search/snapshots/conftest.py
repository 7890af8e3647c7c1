"""Pictures, stored and as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.images import encode, scene
from tests.support.snapshots import COUNT, add


@pytest.fixture
def ids(db: None) -> list[int]:
    return [add(seed) for seed in range(COUNT)]


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{seed}.png" for seed in range(16)]
    for seed, path in enumerate(paths):
        path.write_bytes(encode(scene(seed, (120, 90)), "PNG"))
    return paths
