"""A collection to export, and a site that may not compute anything."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gallery.models import Image
from gallery.services import add_image, add_to_album, trash_images
from search import tasks
from search.duplicates.services import set_contents_apart
from search.features import extraction
from search.methods import METHODS, get_method
from tests.support.images import encode, scene, write_scenes
from tests.support.transfer import COUNT


@pytest.fixture
def collection(worker: Any) -> list[Image]:
    """Pictures with all that can be known of them, and one in the trash."""
    images = [
        add_image(data=encode(scene(seed, (96, 64))), title=f"№ {seed}", tags=[f"tag {seed}", "All"]).image
        for seed in range(COUNT)
    ]
    gone = add_image(data=encode(scene(99, (96, 64)))).image
    add_to_album(ids=[one.pk for one in images[:3]], title="Three")
    Image.objects.filter(pk=images[1].pk).update(created_at=datetime(2020, 2, 2, tzinfo=UTC))
    set_contents_apart(contents=[(images[0].sha256, images[1].sha256)])
    worker()
    trash_images(ids=[gone.pk])
    return images


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be extracted, and nobody asked to."""

    def refuse(*_: object) -> None:
        raise AssertionError("a feature was computed again")

    monkeypatch.setattr(extraction, "extract", refuse)
    monkeypatch.setattr(tasks.extract, "delay", refuse)
    for name in METHODS:
        monkeypatch.setattr(type(get_method(name)), "extract_many", refuse)


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    return write_scenes(tmp_path, 60)
