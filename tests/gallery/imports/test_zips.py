"""Importing from zip archives, and from what is no archive."""

from __future__ import annotations

import os
import stat
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.imports import make_tar, make_zip, picture, run, titles

pytestmark = pytest.mark.django_db


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
