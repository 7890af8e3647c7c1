"""Importing from tar archives: data sets, odd entries, bombs, damage."""

from __future__ import annotations

import gzip
import json
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from gallery.models import Image
from tests.support.imports import make_tar, picture, run, titles

pytestmark = pytest.mark.django_db


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
