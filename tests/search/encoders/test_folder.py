"""Encoder folders: made at once or not at all, vouched for, replaced without a gap."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from search.encoders import DEFAULTS, EncoderDamaged, EncoderMissing, load, make
from search.encoders.folder import META, Folder, folder_name, folders, read_folder, write_folder


def filled(content: str, **meta: Any) -> Callable[[Path], Mapping[str, Any]]:
    def fill(folder: Path) -> Mapping[str, Any]:
        (folder / "weights.bin").write_text(content)
        (folder / "sums.bin").write_text(meta.pop("sums", "1.0000001"))
        return {"kind": "image", "computed": ["sums.bin"], **meta}

    return fill


def write(root: Path, content: str, name: str = "net", **meta: Any) -> Folder:
    return write_folder(root, name, filled(content, **meta))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = write(tmp_path, "a", dimension=3)
    read = read_folder(tmp_path, "net")
    assert read == written
    assert read.meta["dimension"] == 3
    assert read.key == f"net@{read.hash[:12]}"
    assert folders(tmp_path) == ["net"]


def test_the_same_content_has_the_same_hash_and_other_content_another(tmp_path: Path) -> None:
    one, same, other, setting = (write(tmp_path, *each) for each in (("a",), ("a",), ("b",), ("a", "net2")))
    assert one.hash == same.hash
    assert len({one.hash, other.hash, setting.hash, write(tmp_path, "a", dimension=4).hash}) == 4


def test_last_bits_of_what_is_computed_do_not_change_the_hash(tmp_path: Path) -> None:
    assert write(tmp_path, "a", sums="1.0000001").hash == write(tmp_path, "a", sums="1.0000002").hash


def test_the_one_before_stays_there_under_its_key(tmp_path: Path) -> None:
    before, after = write(tmp_path, "a"), write(tmp_path, "b")
    assert read_folder(tmp_path, "net") == after
    assert read_folder(tmp_path, before.key) == before
    assert (read_folder(tmp_path, before.key).path / "weights.bin").read_text() == "a"
    assert folders(tmp_path) == ["net"]


def test_a_failure_in_the_middle_leaves_all_as_it_was(tmp_path: Path) -> None:
    before = write(tmp_path, "a")

    def fails(folder: Path) -> Mapping[str, Any]:
        (folder / "weights.bin").write_text("half")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        write_folder(tmp_path, "net", fails)
    assert read_folder(tmp_path, "net") == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("name", ["net", "net@0123456789ab"])
def test_a_missing_one_names_the_command_that_makes_it(name: str, tmp_path: Path) -> None:
    with pytest.raises(EncoderMissing, match=r"manage\.py fetch_models net$"):
        load(tmp_path, name)


def damage_weights(folder: Path) -> None:
    (folder / "weights.bin").write_text("x")


def lose_a_file(folder: Path) -> None:
    (folder / "sums.bin").unlink()


def break_meta(folder: Path) -> None:
    (folder / META).write_text("{")


def empty_meta(folder: Path) -> None:
    (folder / META).write_text("[]")


def another_format(folder: Path) -> None:
    meta = json.loads((folder / META).read_text())
    (folder / META).write_text(json.dumps({**meta, "format": 99}))


@pytest.mark.parametrize("harm", [damage_weights, lose_a_file, break_meta, empty_meta, another_format])
def test_damage_is_noticed_and_making_it_again_heals(harm: Callable[[Path], None], tmp_path: Path) -> None:
    first = write(tmp_path, "a")
    harm(first.path)
    with pytest.raises(EncoderDamaged, match=r"manage\.py fetch_models net$"):
        read_folder(tmp_path, "net")
    write(tmp_path, "a")
    assert read_folder(tmp_path, "net").hash == first.hash


def test_a_folder_without_meta_is_damaged(tmp_path: Path) -> None:
    first = write(tmp_path, "a")
    (first.path / META).unlink()
    with pytest.raises(EncoderDamaged):
        load(tmp_path, "net")


def test_a_folder_copied_in_without_links_is_read_and_replaced(tmp_path: Path) -> None:
    there = write(tmp_path / "there", "a")
    (tmp_path / "here").mkdir()
    there.path.rename(tmp_path / "here" / "net")
    assert read_folder(tmp_path / "here", "net").hash == there.hash
    write(tmp_path / "here", "b")
    assert (tmp_path / "here" / "net" / "weights.bin").read_text() == "b"


@pytest.mark.parametrize("name", ["clip:ViT-B-32:openai", "timm:hf_hub/some model", "../up", "clip:" + "x" * 200])
def test_names_are_safe_and_short_as_folders(name: str) -> None:
    safe = folder_name(name)
    assert len(safe) <= 48
    assert safe == folder_name(safe)
    assert not {"/", ":", " "} & set(safe)
    assert not safe.startswith(".")


def test_long_names_that_end_differently_stay_apart() -> None:
    assert folder_name("x" * 100 + "a") != folder_name("x" * 100 + "b")


def test_it_is_loaded_once_and_again_when_it_was_replaced(tmp_path: Path) -> None:
    make("efficientnet-lite0", tmp_path)
    first = load(tmp_path, "efficientnet-lite0")
    assert load(tmp_path, "efficientnet-lite0") is first

    def changed(folder: Path) -> Mapping[str, Any]:
        for file in first.folder.path.iterdir():
            if file.name != META:
                (folder / file.name).write_bytes(file.read_bytes())
        return {**first.meta, "recipe": "other"}

    write_folder(tmp_path, "efficientnet-lite0", changed)
    second = load(tmp_path, "efficientnet-lite0")
    assert second.key != first.key
    assert load(tmp_path, first.key).key == first.key


def test_keys_fit_into_the_version_of_a_feature(encoders: Path) -> None:
    assert all(len(f"semantic:{load(encoders, name).key}") <= 80 for name in DEFAULTS)
