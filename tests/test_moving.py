"""A collection goes out to files and comes back: the same pictures, the same answers, nothing computed again."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from gallery.models import Album, Image
from gallery.selection import add_to_album
from gallery.services import add_image, delete_images, purge_trash, trash_images
from search import tasks
from search.duplicates.models import Verdict
from search.duplicates.services import say_apart
from search.features import backlog, extraction, store
from search.methods import METHODS, get_method
from search.models import Extraction, Feature
from search.retrieval.engine import search
from search.retrieval.live import forget
from search.retrieval.queries import query_by_image
from search.transfer.arrays import Reader, Writer
from search.transfer.collection import time_in
from search.transfer.exceptions import Damaged
from search.transfer.records import opened, sealed
from tests.drawings import encode, scene
from tests.servers import wait_until
from tests.test_processes import Site

ROOT = Path(__file__).resolve().parent.parent
COUNT = 6
pytestmark = pytest.mark.django_db


def run(*arguments: str | Path) -> str:
    said = StringIO()
    try:
        call_command(*map(str, arguments), stdout=said, stderr=said)
    finally:
        print(said.getvalue())  # noqa: T201 (shown when a test fails)
    return said.getvalue()


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
    say_apart(contents=[(images[0].sha256, images[1].sha256)])
    worker()
    trash_images(ids=[gone.pk])
    return images


def empty_the_site() -> None:
    delete_images(ids=list(Image.objects.values_list("pk", flat=True)))
    purge_trash(ids=list(Image.everything.values_list("pk", flat=True)))
    Album.objects.all().delete()
    Verdict.objects.all().delete()
    assert not [name for _, _, names in os.walk(default_storage.path("originals")) for name in names]
    forget()


def answers() -> dict[str, list[tuple[str, float]]]:
    """For every picture and space what is found, by content, with distances."""
    forget()
    contents = dict(Image.objects.values_list("pk", "sha256"))
    found = {}
    for key, sha256 in contents.items():
        for space in METHODS:
            hits = search(query_by_image(key, space), method=space, limit=COUNT).hits
            found[f"{sha256} {space}"] = sorted((contents[hit.key], round(hit.distance, 5)) for hit in hits)
    return found


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be extracted, and nobody asked to."""

    def refuse(*_: object) -> None:
        raise AssertionError("a feature was computed again")

    monkeypatch.setattr(extraction, "extract", refuse)
    monkeypatch.setattr(tasks.extract, "delay", refuse)
    for name in METHODS:
        monkeypatch.setattr(type(get_method(name)), "extract_many", refuse)


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
        f"{COUNT} pictures added, 0 there already, {COUNT * len(METHODS)} features taken, 0 pictures"
    )
    assert all(backlog.pending(space) == 0 for space in METHODS)
    assert not backlog.lacking(METHODS, thumbnails=True).exists()
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
    assert run("import", target).startswith(f"0 pictures added, {COUNT} there already, 0 features taken")
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


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 0x55
    path.write_bytes(data)


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
    for told in (
        "bytes are others",
        "Line 3 of pictures.jsonl",
        "no plain file",
        "neural: 1 damaged",
        "color: 1 damaged",
    ):
        assert told in said.getvalue()
    assert sorted(Image.objects.values_list("title", flat=True)) == ["№ 3", "№ 4", "№ 5"]
    assert backlog.pending("neural") == backlog.pending("color") == 1
    assert backlog.pending("phash") == 0
    worker()
    left = {image.sha256 for image in Image.objects.all()}
    assert all(found == [pair for pair in before[name] if pair[0] in left] for name, found in answers().items()), (
        "what workers computed is not what was lost"
    )


def test_features_of_another_version_are_left_to_the_workers(
    collection: list[Image], tmp_path: Path, settings: Any, worker: Any
) -> None:
    run("export", tmp_path / "out")
    empty_the_site()
    settings.LOCAL_FEATURES = "orb"
    assert "local: no features of orb:1 came along; workers compute them." in run("import", tmp_path / "out")
    assert backlog.pending("local") == COUNT
    assert backlog.pending("phash") == 0
    worker()
    assert backlog.pending("local") == 0


def test_features_of_a_space_without_its_model_are_told_and_come_when_it_is_there(
    collection: list[Image], tmp_path: Path, settings: Any
) -> None:
    run("export", tmp_path / "out")
    empty_the_site()
    models, settings.MODELS_ROOT = settings.MODELS_ROOT, tmp_path / "none"
    assert "neural: its model is not here" in run("import", tmp_path / "out")
    settings.MODELS_ROOT = models
    run("import", tmp_path / "out")
    assert backlog.pending("neural") == 0


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
    assert backlog.pending("neural") == 1


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
    with pytest.raises(CommandError, match="is there already"):
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
    made = [opened(line) for line in lines]
    made[0] |= {"sha256": sha256, "file": "../outside.jpg"}
    made[1] |= {"sha256": "../../outside"}
    (target / "pictures.jsonl").write_bytes(b"".join(map(sealed, made)))
    link = target / "files" / made[2]["file"].removeprefix("files/")
    link.unlink()
    link.symlink_to(outside)
    with pytest.raises(CommandError, match=r"[3-9] damaged"):
        run("import", target)
    assert Image.objects.count() == COUNT - 3


@pytest.mark.parametrize("sizes", [[4, 4, 4], [4, 8, 0], []])
def test_features_are_read_as_they_were_written(sizes: list[int], tmp_path: Path) -> None:
    datas = [os.urandom(size) for size in sizes]
    with Writer(tmp_path, "<f2") as writer:
        for key, data in enumerate(datas):
            writer.add(2 * key, f"{key:064x}", data)
    files = {name: (tmp_path / name).open("rb") for name in writer.names}
    reader = Reader(files["rows.npy"], files.get("offsets.npy"), files["pictures.txt"], "<f2")
    assert reader.take(-1, "0" * 64) is None
    for key, data in enumerate(datas):
        assert reader.take(2 * key, f"{key:064x}") == data
        assert reader.take(2 * key + 1, f"{key:064x}") is None
    reader.close()
    with (
        (tmp_path / "rows.npy").open("rb") as rows,
        pytest.raises(Damaged),
        (tmp_path / "pictures.txt").open("rb") as p,
    ):
        Reader(rows, None, p, "<f4")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.kill_all()


def killed(site: Site, ready: Any, *command: str) -> None:
    process = subprocess.Popen([sys.executable, "manage.py", *command], cwd=ROOT, env=site.environment)
    wait_until(lambda: ready() or process.poll() is not None, 60, "the middle of it")
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it ended too early for this test to mean anything"


def test_after_a_kill_both_ways_go_on(collection: list[Image], site: Site, tmp_path: Path) -> None:
    for seed in range(100, 220):
        add_image(data=encode(scene(seed, (32, 24))), title=f"№ {seed}")
    source, target = tmp_path / "out", tmp_path / "again"
    run("export", source)
    media = Path(site.environment["IMAGESITE_DATA"]) / "media" / "originals"
    killed(site, lambda: len(list(media.rglob("*.jpg"))) > 70, "import", str(source))
    peer = site.peer()
    said = str(peer("manage", f"import {source}"))
    added, known = (int(said.split(word)[0].split()[-1]) for word in (" pictures added", " there already"))
    assert (added + known, added > 0) == (COUNT + 120, True)
    assert peer("count") == COUNT * len(METHODS)
    unfinished = tmp_path / ".again.unfinished" / "files"
    killed(site, lambda: len(list(unfinished.rglob("*.jpg"))) > 10, "export", str(target))
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
