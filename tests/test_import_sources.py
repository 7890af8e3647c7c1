"""Importing from archives, buckets and lists of addresses: what comes in, what is refused, what a kill costs."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import signal
import stat
import subprocess
import sys
import tarfile
import threading
import tracemalloc
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from gallery.imports.importing import AHEAD
from gallery.models import Image
from gallery.services import delete_images, trash_images
from tests.drawings import encode, scene
from tests.s3_server import S3Server, missing_s3
from tests.servers import wait_until

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.django_db


def picture(seed: int) -> bytes:
    return encode(scene(seed, (64, 48)))


@pytest.fixture(autouse=True)
def own_data(settings: Any, tmp_path: Path) -> None:
    settings.DATA = tmp_path / "data"


def run(*paths: Path | str) -> tuple[str, dict[str, str]]:
    """What the command said last, and the code of everything that was rejected, by the end of its name."""
    report = Path(os.environ["IMAGESITE_DATA"]) / "report.csv"
    report.unlink(missing_ok=True)
    out = StringIO()
    call_command("import_images", *map(str, paths), "--report", str(report), stdout=out)
    rejected = {}
    if report.exists():
        with report.open() as file:
            rejected = {row["file"].rpartition("/")[2]: row["code"] for row in csv.DictReader(file)}
    return out.getvalue().strip().splitlines()[-1], rejected


def titles() -> set[str]:
    return set(Image.objects.values_list("title", flat=True))


def make_zip(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def make_tar(path: Path, entries: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in entries.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def test_a_zip_gives_all_pictures_in_it_and_again_none(tmp_path: Path) -> None:
    entries = {"a.jpg": picture(1), "in/side/b.jpg": picture(2), "__MACOSX/._a.jpg": b"x", ".DS_Store": b"x"}
    path = make_zip(tmp_path / "Pictures.ZIP", entries | {"notes.txt": b"words"})
    assert run(path) == ("2 added, 0 there already, 1 rejected.", {"notes.txt": "not_an_image"})
    assert titles() == {"a", "b"}
    assert run(path)[0] == "0 added, 2 there already, 1 rejected."


def test_names_that_lead_out_of_an_archive_are_refused_and_nothing_is_written_there(tmp_path: Path) -> None:
    names = ["../out.jpg", "/tmp/out.jpg", "..\\out.jpg", "C:\\out.jpg", "a/../../out.jpg"]
    make_zip(tmp_path / "slip.zip", {name: picture(1) for name in names} | {"fine.jpg": picture(2)})
    make_tar(tmp_path / "slip.tar", {name: picture(1) for name in names})
    before = {path for path in tmp_path.rglob("*") if "data" not in path.parts}
    said, rejected = run(tmp_path / "slip.zip", tmp_path / "slip.tar")
    assert said == "1 added, 0 there already, 10 rejected."
    assert set(rejected.values()) == {"bad_name"}
    assert titles() == {"fine"}
    assert {path for path in tmp_path.rglob("*") if not {"data", "media"} & set(path.parts)} == before


def test_a_zip_with_odd_entries_gives_the_others(tmp_path: Path, settings: Any) -> None:
    settings.MAX_IMAGE_BYTES = 100_000
    path = make_zip(
        tmp_path / "odd.zip", {"good.jpg": picture(1), "bomb.jpg": bytes(90_000_000), "torn.jpg": picture(2)}
    )
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("link.jpg")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("rare.jpg", picture(3), zipfile.ZIP_LZMA)
        archive.writestr("inner.zip", make_zip(tmp_path / "inner.zip", {"a.jpg": picture(4)}).read_bytes())
        archive.writestr("locked.jpg", picture(5))
        torn = archive.getinfo("torn.jpg").header_offset
    data = bytearray(path.read_bytes())
    data[torn + 200] ^= 0xFF
    locked = data.rindex(b"PK\x01\x02")  # the last entry of the list
    data[locked + 8] |= 1
    path.write_bytes(data)
    said, rejected = run(path)
    assert said == "1 added, 0 there already, 6 rejected."
    assert rejected == {
        "bomb.jpg": "too_large",
        "torn.jpg": "damaged",
        "link.jpg": "not_an_image",
        "rare.jpg": "unreadable",
        "inner.zip": "not_an_image",
        "locked.jpg": "encrypted",
    }


def test_a_zip_that_lies_about_sizes_costs_no_memory(tmp_path: Path, settings: Any) -> None:
    settings.MAX_IMAGE_BYTES = 1_000_000
    path = make_zip(tmp_path / "lies.zip", {"bomb.jpg": bytes(80_000_000)})
    data = bytearray(path.read_bytes())
    listed = data.rindex(b"PK\x01\x02")
    data[listed + 24 : listed + 28] = (1_000).to_bytes(4, "little")  # the size when unpacked
    path.write_bytes(data)
    tracemalloc.start()
    said, rejected = run(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (said, set(rejected)) == ("0 added, 0 there already, 1 rejected.", {"bomb.jpg"})
    assert peak < 40_000_000


@pytest.mark.parametrize("name", ["broken.zip", "broken.tar", "broken.tar.gz", "empty.tar", "empty.zip"])
def test_what_is_no_archive_is_told(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"" if "empty" in name else b"\x1f\x8b" + bytes(range(256)) * 40)
    assert run(tmp_path / name) == ("0 added, 0 there already, 1 rejected.", {name: "damaged"})


@pytest.mark.parametrize("name", ["pipe.zip", "pipe.tar.gz"])
def test_an_archive_that_is_a_pipe_is_refused(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    assert run(tmp_path / name)[1] == {name: "not_an_image"}


@pytest.mark.parametrize(("name", "mode"), [("set.tar", "w"), ("set.tar.gz", "w:gz"), ("set.tgz", "w:gz")])
def test_a_webdataset_brings_titles_and_tags(name: str, mode: str, tmp_path: Path) -> None:
    about = {"title": "A boat", "tags": ["Sea", "Boats", 7], "caption": "not this"}
    entries = {
        "./one.jpg": picture(1),
        "./one.json": json.dumps(about).encode(),
        "./one.txt": b"not this either",
        "./two.cap.txt": b"never mind",
        "./two.jpg": picture(2),
        "./two.txt": "  Ein Hügel\nam See ".encode(),
        "./three.jpg": picture(3),
        "./three.json": b'{"caption": "A tree", "tags": "green, tall"}',
        "./four.jpg": picture(4),
        "./four.json": b"[" * 100_000,
        "./five.jpg": picture(5),
    }
    said, rejected = run(make_tar(tmp_path / name, entries, mode))
    assert (said, rejected) == (
        "5 added, 0 there already, 2 rejected.",
        {"four.json": "damaged", "two.cap.txt": "not_an_image"},
    )
    assert titles() == {"A boat", "Ein Hügel am See", "A tree", "four", "five"}
    assert {tag.name for tag in Image.objects.get(title="A boat").tags.all()} == {"sea", "boats"}
    assert {tag.name for tag in Image.objects.get(title="A tree").tags.all()} == {"green", "tall"}


def test_special_entries_of_a_tar_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(picture(9))
    path = tmp_path / "odd.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in (
            ("link.jpg", tarfile.SYMTYPE),
            ("hard.jpg", tarfile.LNKTYPE),
            ("pipe.jpg", tarfile.FIFOTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, str(secret)
            archive.addfile(member)
        device = tarfile.TarInfo("device.jpg")
        device.type, device.devmajor, device.devminor = tarfile.CHRTYPE, 1, 5
        archive.addfile(device)
    said, rejected = run(path)
    assert said == "0 added, 0 there already, 4 rejected."
    assert set(rejected.values()) == {"not_an_image"}


def huge_header(kind: bytes, size: int) -> bytes:
    member = tarfile.TarInfo("header")
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.REGTYPE])
def test_bombs_in_a_tar_cost_no_memory(kind: bytes, tmp_path: Path, settings: Any) -> None:
    """A header that claims gigabytes, which a gzipped tar gives for nothing."""
    settings.MAX_IMAGE_BYTES = 1_000_000
    path = tmp_path / "bomb.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(make_tar(tmp_path / "good.tar", {"good.jpg": picture(1)}).read_bytes().rstrip(b"\0"))
        file.write(bytes(-file.tell() % 512))
        file.write(huge_header(kind, 100_000_000))
        for _ in range(101):
            file.write(bytes(1_000_000))
    tracemalloc.start()
    said, _ = run(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert said == "1 added, 0 there already, 1 rejected."
    assert peak < 40_000_000


@pytest.mark.parametrize("cut", [10, 700])
def test_of_a_tar_that_is_cut_off_all_before_is_imported(cut: int, tmp_path: Path) -> None:
    path = make_tar(tmp_path / "cut.tar", {"one.jpg": picture(1), "two.jpg": picture(2)})
    whole = path.read_bytes().rstrip(b"\0")
    path.write_bytes(whole[:-cut])
    said, rejected = run(path)
    assert said == "1 added, 0 there already, 1 rejected."
    assert set(rejected.values()) == {"damaged"}


def test_a_damaged_header_is_not_taken_for_the_end(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "hit.tar", {"one.jpg": picture(1), "two.jpg": picture(2)})
    data = bytearray(path.read_bytes())
    data[data.index(b"two.jpg") + 3] ^= 1
    path.write_bytes(data)
    assert run(path) == ("1 added, 0 there already, 1 rejected.", {"hit.tar": "damaged"})


class Handler(SimpleHTTPRequestHandler):
    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing to say."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """Serves ``served/``."""
    folder = tmp_path / "served"
    folder.mkdir()
    for seed in range(40):
        (folder / f"{seed}.jpg").write_bytes(picture(seed))
    Handler.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_list_of_urls_is_fetched_once(site: str, tmp_path: Path, settings: Any) -> None:
    settings.FETCH_PRIVATE_ADDRESSES = True
    urls = tmp_path / "urls.txt"
    urls.write_text(f"\ufeff# pictures\n\n{site}/1.jpg\n {site}/2.jpg?a=/x \n{site}/none.jpg\nfile:///etc/passwd\n")
    assert run(urls) == (
        "2 added, 0 there already, 2 rejected.",
        {"none.jpg": "not_fetched", "passwd": "not_fetched"},
    )
    assert titles() == {"1", "2"}
    Handler.asked.clear()
    assert run(urls)[0] == "0 added, 2 there already, 2 rejected."
    assert Handler.asked == ["/none.jpg"]


def test_what_was_deleted_or_trashed_since_is_fetched_again(site: str, tmp_path: Path, settings: Any) -> None:
    settings.FETCH_PRIVATE_ADDRESSES = True
    urls = tmp_path / "urls.txt"
    urls.write_text(f"{site}/1.jpg\n{site}/2.jpg\n{site}/3.jpg")
    run(urls)
    delete_images(ids=[Image.objects.get(title="1").pk])
    trash_images(ids=[Image.objects.get(title="2").pk])
    assert run(urls)[0] == "2 added, 1 there already, 0 rejected."
    assert titles() == {"1", "2", "3"}


def test_addresses_inside_the_network_are_refused(site: str, tmp_path: Path) -> None:
    urls = tmp_path / "urls.txt"
    urls.write_text(f"{site}/1.jpg\nhttp://localhost/2.jpg\nhttp://169.254.169.254/3.jpg\nhttp://[::1]/4.jpg")
    said, rejected = run(urls)
    assert (said, set(rejected.values())) == ("0 added, 0 there already, 4 rejected.", {"not_fetched"})
    assert Handler.asked == []


def test_an_import_that_was_killed_goes_on_where_it_was(site: str, tmp_path: Path) -> None:
    entries = {f"{seed}.jpg": picture(seed) for seed in range(100, 140)}
    make_tar(tmp_path / "set.tar", entries)
    (tmp_path / "urls.txt").write_text("\n".join(f"{site}/{seed}.jpg" for seed in range(40)))
    clean = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "CELERY_BROKER_URL"}}
    environment = clean | {"IMAGESITE_DATA": str(tmp_path / "data"), "FETCH_PRIVATE_ADDRESSES": "1"}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
    command = [sys.executable, "manage.py", "import_images", str(tmp_path / "set.tar"), str(tmp_path / "urls.txt")]
    killed = subprocess.Popen(command, cwd=ROOT, env=environment)
    wait_until(lambda: len(Handler.asked) >= AHEAD + 5 or killed.poll() is not None, 60, "first pictures from afar")
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL, "the import ended too early for this test to mean anything"
    rest = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    added, known = (int(rest.split(word)[0].split()[-1].strip()) for word in (" added", " there already"))
    assert (added + known, "0 rejected" in rest) == (80, True)
    assert added < 36
    assert len(Handler.asked) <= 40 + AHEAD + 1, "what was there already was fetched again"
    assert len(list((tmp_path / "data" / "media" / "originals").rglob("*.jpg"))) == 80


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    if reason := missing_s3():
        pytest.skip(reason)
    server = S3Server()
    for name in ("media", "source"):
        server.client().create_bucket(Bucket=name)
    yield server
    server.stop()


@pytest.fixture
def bucket(s3: S3Server, settings: Any) -> Any:
    """A client, and the site with its media in a bucket of the same server."""
    client = s3.client()
    options = s3.options | {"bucket_name": "media", "location": "below"}
    default = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"default": default}
    yield client
    for name in ("media", "source"):
        for entry in client.list_objects_v2(Bucket=name).get("Contents", ()):
            client.delete_object(Bucket=name, Key=entry["Key"])


def test_a_prefix_of_a_bucket_is_imported_and_only_what_changed_read_again(bucket: Any, settings: Any) -> None:
    objects = {"set/1.jpg": picture(1), "set/in/2.jpg": picture(2), "set/bad.jpg": b"bad", "settled/3.jpg": picture(3)}
    for key, body in objects.items():
        bucket.put_object(Bucket="source", Key=key, Body=body)
    expected = "2 added, 0 there already, 1 rejected.", {"bad.jpg": "not_an_image"}
    assert run("s3://source/set") == expected
    assert titles() == {"1", "2"}
    assert len(bucket.list_objects_v2(Bucket="media", Prefix="below/originals/")["Contents"]) == 2
    bucket.put_object(Bucket="source", Key="set/1.jpg", Body=picture(7))
    assert run("s3://source/set/")[0] == "1 added, 1 there already, 1 rejected."
    assert run("s3://source")[0] == "1 added, 2 there already, 1 rejected."
    settings.MAX_IMAGE_BYTES = 10
    assert run("s3://source/set/bad.jpg")[1] == {"bad.jpg": "not_an_image"}


def test_a_bucket_that_cannot_be_read_is_told_without_secrets(bucket: Any, s3: S3Server, settings: Any) -> None:
    with pytest.raises(CommandError, match=r"s3://nowhere cannot be listed: .*NoSuchBucket"):
        run("s3://nowhere/set")
    options = settings.STORAGES["default"]["OPTIONS"] | {"secret_key": "wrong"}
    wrong = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"default": wrong}
    with pytest.raises(CommandError, match="SignatureDoesNotMatch") as refused:
        run("s3://source/set")
    assert "wrong" not in str(refused.value)
    assert not Image.objects.exists()
