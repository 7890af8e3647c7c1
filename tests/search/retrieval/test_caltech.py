"""A thousand real pictures: imported, drained, and found: every tenth is asked for in every space."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from gallery.services import add_image
from search.features import backlog
from search.features.versions import state_of
from search.methods import METHODS
from search.snapshots import build


@pytest.mark.django_db
def test_a_picture_is_the_first_answer_to_itself_through_the_api(
    shared_data: Path, client: Client, worker: Callable[[], None]
) -> None:
    files = {
        add_image(data=path.read_bytes()).image.pk: path for path in sorted((shared_data / "caltech").rglob("*.jpg"))
    }
    assert len(files) == 1_000
    worker()
    for space in METHODS:
        assert backlog.pending(state_of(space)) == 0
        build.build(space)
    asked = list(files.items())[::10]
    missed = [(space, key) for key, path in asked for space in METHODS if first_answer(client, path, space) != key]
    assert not missed


def first_answer(client: Client, path: Path, space: str) -> int:
    with path.open("rb") as file:
        answer = client.post("/api/search/image/", {"file": file, "method": space, "limit": 1})
    assert answer.status_code == 200, answer.content
    assert answer.json()["skipped"] == {}
    return answer.json()["results"][0]["image"]["id"]
