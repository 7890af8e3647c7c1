"""What is damaged, hostile or unfinished is left out, and everybody hears of it."""

from __future__ import annotations

import hashlib
import json
import os
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from gallery.models import Image
from search.features import backlog
from search.features.versions import state_of
from search.methods import get_method
from search.models import Feature
from search.transfer import records
from search.transfer.exceptions import Damaged
from search.transfer.export_format import time_in
from tests.support.images import encode, scene
from tests.support.transfer import COUNT, answers, empty_the_site, flip, run

pytestmark = pytest.mark.django_db


def test_what_is_damaged_is_left_out_and_told(collection: list[Image], tmp_path: Path, worker: Any) -> None:
    before, target = answers(), tmp_path / "out"
    run("export", target)
    empty_the_site()
    names = [target / json.loads(line)["file"] for line in (target / "pictures.jsonl").read_text().splitlines()]
    flip(names[0], 100)
    names[1].unlink()
    os.mkfifo(names[1])
    flip(target / "pictures.jsonl", (target / "pictures.jsonl").read_bytes().index("№ 2".encode()) + 4)
    (folder,) = (target / "features").glob("neural-*")
    flip(folder / "rows.npy", -1)
    (cut,) = (target / "features").glob("color-*")
    (cut / "rows.npy").write_bytes((cut / "rows.npy").read_bytes()[:-1])
    said = StringIO()
    with pytest.raises(CommandError, match=r"^5 damaged items are left out"):
        call_command("import", str(target), stdout=said, stderr=said)
    for message in (
        "content has changed",
        "Line 3 of pictures.jsonl",
        "no plain file",
        "neural: 1 damaged",
        "color: 1 damaged",
    ):
        assert message in said.getvalue()
    assert sorted(Image.objects.values_list("title", flat=True)) == ["№ 3", "№ 4", "№ 5"]
    assert backlog.pending(state_of("neural")) == backlog.pending(state_of("color")) == 1
    assert backlog.pending(state_of("phash")) == 0
    worker()
    left = {image.sha256 for image in Image.objects.all()}
    assert all(found == [pair for pair in before[name] if pair[0] in left] for name, found in answers().items()), (
        "what workers computed is not what was lost"
    )


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2020-01-01T00:00:00"])
def test_a_time_that_is_none_is_told_from_one(time: str) -> None:
    with pytest.raises(Damaged):
        time_in({"created_at": time})


def test_numbers_that_are_no_feature_never_come_near_an_index(collection: list[Image], tmp_path: Path) -> None:
    """With a checksum that is right: somebody else's program wrote them."""
    Feature.objects.filter(space="neural", image_id=collection[0].pk).update(
        data=np.full(get_method("neural").dimension, np.nan, np.float16).tobytes()
    )
    run("export", tmp_path / "out")
    empty_the_site()
    with pytest.raises(CommandError, match="1 damaged"):
        run("import", tmp_path / "out")
    assert backlog.pending(state_of("neural")) == 1


def test_an_export_says_what_it_leaves_out(collection: list[Image], tmp_path: Path) -> None:
    default_storage.delete(collection[0].file_name)
    Path(default_storage.path(collection[1].file_name)).write_bytes(b"other")
    said = StringIO()
    with pytest.raises(CommandError, match="2 pictures are left out"):
        call_command("export", str(tmp_path / "out"), stdout=said, stderr=said)
    assert "cannot be read" in said.getvalue()
    assert "is damaged" in said.getvalue()
    assert len((tmp_path / "out" / "pictures.jsonl").read_text().splitlines()) == COUNT - 2


def test_nothing_is_written_over_and_nothing_unfinished_is_taken(collection: list[Image], tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(CommandError, match="exists already"):
        run("export", tmp_path / "there")
    run("export", tmp_path / "out.tar")
    whole = (tmp_path / "out.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) // 2])
    empty_the_site()
    for name in ("there", "cut.tar", "nowhere"):
        with pytest.raises(CommandError, match=r"Nothing was changed\."):
            run("import", tmp_path / name)
    assert not Image.everything.exists()


def test_an_export_that_is_made_to_lead_elsewhere_does_not(collection: list[Image], tmp_path: Path) -> None:
    """Names in it are never used as they are, links not followed."""
    target, outside = tmp_path / "out", tmp_path / "outside.jpg"
    run("export", target)
    empty_the_site()
    lines = (target / "pictures.jsonl").read_bytes().splitlines()
    outside.write_bytes(encode(scene(50)))
    sha256 = hashlib.sha256(outside.read_bytes()).hexdigest()
    made = [records.decode(line) for line in lines]
    made[0] |= {"sha256": sha256, "file": "../outside.jpg"}
    made[1] |= {"sha256": "../../outside"}
    (target / "pictures.jsonl").write_bytes(b"".join(map(records.encode, made)))
    link = target / "files" / made[2]["file"].removeprefix("files/")
    link.unlink()
    link.symlink_to(outside)
    with pytest.raises(CommandError, match=r"[3-9] damaged"):
        run("import", target)
    assert Image.objects.count() == COUNT - 3
