"""A tiny encoder for one space, and pictures that it has encoded."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.features.extraction import extract
from search.snapshots import build
from tests.support import tiny_encoder
from tests.support.versions import COUNT, SPACE, add


@pytest.fixture
def root(settings, tmp_path: Path) -> Path:
    """A folder in which ``neural`` has a tiny encoder and no other space has one."""
    settings.MODELS_ROOT = tmp_path / "models"
    settings.NEURAL_ENCODER = "tiny"
    tiny_encoder.make(settings.MODELS_ROOT, seed=0)
    return settings.MODELS_ROOT


@pytest.fixture
def ids(root: Path) -> list[int]:
    """Pictures that are extracted and indexed with the first encoder."""
    added = [add(seed) for seed in range(COUNT)]
    extract(added)
    build.build(SPACE)
    return added
