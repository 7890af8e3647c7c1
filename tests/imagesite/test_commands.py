"""The commands of ``manage.py``; ``serve`` has a file of its own."""

from __future__ import annotations

import csv
import fcntl
import os
import signal
import subprocess
import sys
import tracemalloc
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from gallery.imports import entries
from gallery.models import Image
from gallery.services import add_image
from search.features import backlog
from search.features.versions import state_of
from search.methods import METHODS
from search.models import Feature, Snapshot, Space
from tests.support.images import encode, scene
from tests.support.interrupting import interrupted
from tests.support.paths import ROOT

pytestmark = pytest.mark.django_db


def run(*arguments: str | Path) -> str:
    out = StringIO()
    call_command(*map(str, arguments), stdout=out)
    return out.getvalue()


def draw(path: Path, seed: int, size: tuple[int, int] = (96, 64)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(scene(seed, size)))
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two pictures in a folder, a third in a folder inside."""
    folder = tmp_path / "pictures"
    for seed, name in enumerate(("one.jpg", "two.jpg", "inside/three.jpg")):
        draw(folder / name, seed)
    return folder


def test_a_folder_means_the_files_in_it(pictures):
    assert "2 added, 0 there already, 0 rejected." in run("import_images", pictures)
    assert set(Image.objects.values_list("title", flat=True)) == {"one", "two"}


def test_recursive_means_the_folders_inside_too(pictures):
    assert "3 added" in run("import_images", pictures, "--recursive", "--tags", "Holiday, 2026")
    assert all({tag.name for tag in image.tags.all()} == {"holiday", "2026"} for image in Image.objects.all())


def test_what_is_there_already_is_skipped(pictures):
    run("import_images", pictures)
    assert "1 added, 2 there already, 0 rejected." in run("import_images", pictures, "--recursive")


def test_files_and_folders_can_be_mixed(pictures):
    out = run("import_images", pictures / "one.jpg", pictures / "inside")
    assert "2 added" in out


def test_a_path_that_does_not_exist_is_told_before_anything_is_imported(pictures):
    with pytest.raises(CommandError, match="There is no "):
        run("import_images", pictures, pictures / "nowhere")
    assert not Image.objects.exists()


def test_bad_files_are_reported_and_do_not_stop_the_import(pictures, tmp_path, settings):
    settings.MAX_IMAGE_BYTES = 200_000
    (pictures / "notes.txt").write_text("not a picture")
    (pictures / "torn.jpg").write_bytes(encode(scene(8))[:900])
    (pictures / "huge.jpg").write_bytes(bytes(200_001))
    report = tmp_path / "report.csv"
    out = run("import_images", pictures, "--report", report)
    assert "2 added, 0 there already, 3 rejected." in out
    assert str(report) in out
    with report.open() as file:
        reasons = {Path(row["file"]).name: row["code"] for row in csv.DictReader(file)}
    assert reasons == {"notes.txt": "not_an_image", "torn.jpg": "damaged", "huge.jpg": "too_large"}


def test_the_report_goes_to_the_data_folder_by_default(pictures, tmp_path, settings):
    settings.DATA = tmp_path / "data"
    (pictures / "notes.txt").write_text("not a picture")
    run("import_images", pictures)
    assert len(list((tmp_path / "data" / "reports").glob("*.csv"))) == 1


def test_hidden_and_special_files_and_circles_are_passed_over(pictures):
    draw(pictures / ".hidden.jpg", 8)
    draw(pictures / ".thumbnails" / "small.jpg", 9)
    os.mkfifo(pictures / "pipe")
    (pictures / "circle").symlink_to(pictures)
    (pictures / "dangling.jpg").symlink_to(pictures / "nowhere")
    assert "3 added, 0 there already, 0 rejected." in run("import_images", pictures, "--recursive")


def test_a_pipe_named_on_the_command_line_is_rejected(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "1 rejected" in run("import_images", tmp_path / "pipe", "--report", tmp_path / "report.csv")


def test_its_own_files_are_no_pictures_to_import(tmp_path, settings):
    draw(Path(settings.MEDIA_ROOT) / "thumbnails" / "one.jpg", 1)
    draw(tmp_path / "two.jpg", 2)
    assert "1 added" in run("import_images", tmp_path, "--recursive")


def test_a_name_that_is_no_unicode_is_imported(tmp_path):
    name = os.fsdecode(b"caf\xe9.jpg")
    (tmp_path / name).write_bytes(encode(scene(1, (96, 64))))
    (tmp_path / os.fsdecode(b"bad-\xe9.jpg")).write_bytes(b"no picture")
    out = run("import_images", tmp_path, "--report", tmp_path / "report.csv")
    assert "1 added, 0 there already, 1 rejected." in out
    assert b"bad-\\udce9.jpg" in (tmp_path / "report.csv").read_bytes()


def test_many_files_take_no_more_memory_than_few(tmp_path):
    for number in range(10_000):
        (tmp_path / f"{number}.jpg").touch()
    tracemalloc.start()
    count = sum(1 for _ in entries([str(tmp_path)], recursive=True))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 10_000
    assert peak < 200_000


def test_a_stopped_import_tells_how_far_it_came_and_goes_on_later(tmp_path):
    for seed in range(250):
        draw(tmp_path / "pictures" / f"{seed}.jpg", seed, (64, 48))
    clean = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "CELERY_BROKER_URL"}}
    environment = clean | {"IMAGESITE_DATA": str(tmp_path / "data")}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
    command = [sys.executable, "manage.py", "import_images", str(tmp_path / "pictures")]
    originals = tmp_path / "data" / "media" / "originals"
    code, said = interrupted(environment, signal.SIGINT, originals, 6, *command[2:])
    assert code == 130, said
    assert "Stopped." in said
    assert 0 < int(said.split(" added")[0].split()[-1]) < 250
    rest = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    assert int(said.split(" added")[0].split()[-1]) + int(rest.split(" added")[0].split()[-1]) == 250
    assert "0 rejected" in rest


def test_extract_features_does_what_is_missing_without_a_worker():
    for seed in range(3):
        add_image(data=encode(scene(seed)))
    out = run("extract_features", "--missing")
    assert all(f"{space}: 3 pictures" in out for space in METHODS)
    assert all(backlog.pending(state_of(space)) == 0 for space in METHODS)
    assert not Image.objects.filter(thumbnailed=False).exists()


def test_extract_features_can_do_one_space_and_do_it_again():
    add_image(data=encode(scene()))
    run("extract_features", "--space", "phash")
    assert [feature.space_id for feature in Feature.objects.all()] == ["phash"]
    run("extract_features")
    head = Space.objects.get(pk="color").head
    Feature.objects.filter(space="color").update(data=b"worn")
    run("extract_features", "--space", "color", "--force")
    assert bytes(Feature.objects.get(space="color").data) != b"worn"
    assert Space.objects.get(pk="color").head == head + 1


def test_extract_features_tells_of_pictures_that_fail(settings):
    image = add_image(data=encode(scene())).image
    (Path(settings.MEDIA_ROOT) / image.file_name).unlink()
    out = run("extract_features")
    assert f"Picture {image.pk} failed 1 times: FileNotFoundError" in out
    assert "1 pictures still lack a feature" in out


def test_build_index_says_what_it_built():
    add_image(data=encode(scene()))
    run("extract_features")
    assert "phash: built" in run("build_index", "--space", "phash")
    assert [snapshot.space_id for snapshot in Snapshot.objects.all()] == ["phash"]
    out = run("build_index")
    assert "phash: is up to date." in out
    assert "color: built" in out


def test_build_index_admits_that_somebody_else_is_building(settings):
    add_image(data=encode(scene()))
    run("extract_features")
    settings.SNAPSHOT_ROOT.mkdir(parents=True, exist_ok=True)
    with (settings.SNAPSHOT_ROOT / "phash.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "phash: somebody else is building it now." in run("build_index", "--space", "phash")


def test_load_samples_says_how_many(settings, tmp_path):
    settings.DATA = tmp_path
    assert "sample pictures were added" in run("load_samples")


@pytest.mark.parametrize("command", ["export", "check_index"])
def test_without_tables_a_command_says_what_to_run_first(command: str, tmp_path: Path) -> None:
    more = [str(tmp_path / "out")] if command == "export" else []
    environment = os.environ | {"IMAGESITE_DATA": str(tmp_path / "data"), "DATABASE_URL": ""}
    done = subprocess.run(
        [sys.executable, "manage.py", command, *more],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "manage.py migrate" in done.stderr
    assert "Traceback" not in done.stderr
