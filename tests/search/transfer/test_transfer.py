"""A collection goes out to files and comes back: the same pictures, the same answers, nothing computed again."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import default_storage

from gallery.models import Album, Image
from gallery.services import add_image
from search.duplicates.models import Verdict
from search.features import backlog, store
from search.features.versions import state_of, states_of
from search.methods import METHODS, get_method
from search.models import Extraction
from search.transfer.exceptions import Damaged
from search.transfer.feature_files import FeatureReader, FeatureWriter
from tests.support.images import encode, scene
from tests.support.interrupting import interrupted
from tests.support.sites import Site
from tests.support.transfer import COUNT, answers, empty_the_site, run

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["moved", "moved.tar"])
def test_all_comes_back_and_nothing_is_computed(
    name: str, collection: list[Image], tmp_path: Path, no_work: None, django_capture_on_commit_callbacks: Any
) -> None:
    before, target = answers(), tmp_path / name
    assert run("export", target) == f"{target} is written.\n"
    empty_the_site()
    with django_capture_on_commit_callbacks(execute=True):
        said = run("import", target)
    assert said.startswith(
        f"{COUNT} pictures added, 0 there already, {COUNT * len(METHODS)} features imported, 0 pictures"
    )
    assert all(backlog.pending(state_of(space)) == 0 for space in METHODS)
    assert not backlog.lacking(states_of(METHODS), thumbnails=True).exists()
    assert not Extraction.objects.exists()
    assert answers() == before
    for old in collection:
        new = Image.objects.get(sha256=old.sha256)
        assert new.title == old.title
        assert [tag.name for tag in new.tags.all()] == ["all", f"tag {old.title.split()[1]}"]
        assert default_storage.exists(new.thumbnail_name(new.thumbnail_sizes[0]))
    assert Image.objects.get(sha256=collection[1].sha256).created_at.year == 2020
    assert Album.objects.get(title="Three").images.count() == 3
    assert Verdict.objects.count() == 1
    assert run("import", target).startswith(f"0 pictures added, {COUNT} there already, 0 features imported")
    assert (Album.objects.count(), Verdict.objects.count()) == (1, 1)


def test_others_can_read_it(collection: list[Image], tmp_path: Path) -> None:
    run("export", tmp_path / "out")
    records = [json.loads(line) for line in (tmp_path / "out" / "pictures.jsonl").read_text().splitlines()]
    assert [record["title"] for record in records] == [f"№ {seed}" for seed in range(COUNT)]
    for record in records:
        data = (tmp_path / "out" / record["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == record["sha256"]
    about = json.loads((tmp_path / "out" / "collection.json").read_text())
    for one in about["features"]:
        folder, method = tmp_path / "out" / one["folder"], get_method(one["space"])
        rows = np.load(folder / "rows.npy")
        pictures = [line.split() for line in (folder / "pictures.txt").read_text().splitlines()]
        assert [sha256 for _, sha256, _ in pictures] == [record["sha256"] for record in records]
        if (folder / "offsets.npy").exists():
            offsets = np.load(folder / "offsets.npy")
            stored = [rows[begin:end].tobytes() for begin, end in pairwise(offsets)]
        else:
            stored = [row.tobytes() for row in rows]
        known = store.stored_of([int(key) for key, _, _ in pictures], one["space"], method.version)
        assert stored == [known[int(key)] for key, _, _ in pictures]
        assert rows.dtype == np.dtype(method.stored)


def test_features_of_another_version_are_left_to_the_workers(
    collection: list[Image], tmp_path: Path, settings: Any, worker: Any
) -> None:
    run("export", tmp_path / "out")
    empty_the_site()
    settings.LOCAL_FEATURES = "orb"
    assert "local: no features of orb:1 came along; workers compute them." in run("import", tmp_path / "out")
    assert backlog.pending(state_of("local")) == COUNT
    assert backlog.pending(state_of("phash")) == 0
    worker()
    assert backlog.pending(state_of("local")) == 0


def test_features_of_a_space_without_its_model_are_told_and_come_when_it_is_there(
    collection: list[Image], tmp_path: Path, settings: Any
) -> None:
    run("export", tmp_path / "out")
    empty_the_site()
    models, settings.MODELS_ROOT = settings.MODELS_ROOT, tmp_path / "none"
    assert "neural: its model is not here" in run("import", tmp_path / "out")
    settings.MODELS_ROOT = models
    run("import", tmp_path / "out")
    assert backlog.pending(state_of("neural")) == 0


@pytest.mark.parametrize("sizes", [[4, 4, 4], [4, 8, 0], []])
def test_features_are_read_as_they_were_written(sizes: list[int], tmp_path: Path) -> None:
    datas = [os.urandom(size) for size in sizes]
    with FeatureWriter(tmp_path, "<f2") as writer:
        for key, data in enumerate(datas):
            writer.add(2 * key, f"{key:064x}", data)
    files = {name: (tmp_path / name).open("rb") for name in writer.names}
    reader = FeatureReader(files["rows.npy"], files.get("offsets.npy"), files["pictures.txt"], "<f2")
    assert reader.feature_of(-1, "0" * 64) is None
    for key, data in enumerate(datas):
        assert reader.feature_of(2 * key, f"{key:064x}") == data
        assert reader.feature_of(2 * key + 1, f"{key:064x}") is None
    reader.close()
    with (
        (tmp_path / "rows.npy").open("rb") as rows,
        pytest.raises(Damaged),
        (tmp_path / "pictures.txt").open("rb") as p,
    ):
        FeatureReader(rows, None, p, "<f4")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.kill_all()


def killed(site: Site, folder: Path, count: int, *command: str) -> None:
    """A command that is killed when so many pictures are in a folder."""
    code, _ = interrupted(site.environment, signal.SIGKILL, folder, count, *command)
    assert code == -signal.SIGKILL, "it ended too early for this test to mean anything"


def test_after_a_kill_both_ways_go_on(collection: list[Image], site: Site, tmp_path: Path) -> None:
    for seed in range(100, 220):
        add_image(data=encode(scene(seed, (32, 24))), title=f"№ {seed}")
    source, target = tmp_path / "out", tmp_path / "again"
    run("export", source)
    media = Path(site.environment["IMAGESITE_DATA"]) / "media" / "originals"
    killed(site, media, 71, "import", str(source))
    peer = site.peer()
    said = str(peer("manage", f"import {source}"))
    added, known = (int(said.split(word)[0].split()[-1]) for word in (" pictures added", " there already"))
    assert (added + known, added > 0) == (COUNT + 120, True)
    assert peer("count") == COUNT * len(METHODS)
    unfinished = tmp_path / ".again.unfinished" / "files"
    killed(site, unfinished, 11, "export", str(target))
    stray = unfinished / "00" / "00" / f"{'0' * 64}.jpg"
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_bytes(b"of a picture that was deleted since")
    os.utime(stray, (1, 1))
    assert not target.exists()
    assert peer("manage", f"export {target}") == f"{target} is written.\n"
    same = {path.relative_to(source): path.read_bytes() for path in source.rglob("*.jpg")}
    assert same == {path.relative_to(target): path.read_bytes() for path in target.rglob("*.jpg")}
    for rows in source.rglob("rows.npy"):
        assert rows.read_bytes() == (target / rows.relative_to(source)).read_bytes()
    assert not (tmp_path / ".again.unfinished").exists()
