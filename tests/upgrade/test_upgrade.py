"""A data folder that the code of an older commit filled opens under this code, and nothing of it is made again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.upgrade.proof import OLD, Proof, missing_commit, prove


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Proof:
    if reason := missing_commit(OLD):
        pytest.skip(reason)
    return prove(tmp_path_factory.mktemp("upgrade"))


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """What was there before, and is gone or another now."""
    return {name for name, value in before.items() if after.get(name) != value}


def test_migrations_run_no_code_over_data(proof: Proof) -> None:
    """They may add columns and rename what only Python sees."""
    assert "Raw Python operation" not in proof.planned
    assert "Raw SQL operation" not in proof.planned


def test_every_row_of_every_table_is_what_it_was(proof: Proof) -> None:
    filled = {name for name, rows in proof.old["tables"].items() if rows}
    assert filled >= {"gallery_image", "gallery_album_images", "search_feature", "search_snapshot", "atlas_layout"}
    assert filled >= {"duplicates_pair", "duplicates_group", "duplicates_decision", "duplicates_verdict"}
    assert len(proof.old["tables"]["gallery_image"]) > 200
    assert changed(proof.old["tables"], proof.new["tables"]) == set()


def test_no_feature_is_computed_again(proof: Proof) -> None:
    assert proof.new["features"] == proof.old["features"]
    assert changed(proof.old["features"], proof.drained["features"]) == set()


def test_every_file_is_what_it_was(proof: Proof) -> None:
    assert changed(proof.old["files"], proof.new["files"]) == set()


def test_no_snapshot_is_built_again(proof: Proof) -> None:
    old, new = ({name for name in seen["files"] if name.startswith("snapshots/")} for seen in (proof.old, proof.new))
    assert new == old
    assert proof.new["spaces"] == proof.old["spaces"]


def test_the_same_pictures_are_found_in_every_space_and_by_words(proof: Proof) -> None:
    assert proof.new["answers"] == proof.old["answers"]
    for name, answer in proof.new["answers"].items():
        assert answer["skipped"] == {}, name
        image_id, _, _ = name.partition(" ")
        if image_id.isdecimal():  # itself, or what cannot be told from it
            assert [int(image_id), answer["hits"][0][1]] in answer["hits"], name


@pytest.mark.parametrize("what", ["groups", "trash", "maps", "kept search"])
def test_what_people_see_is_what_it_was(proof: Proof, what: str) -> None:
    assert proof.old[what]
    assert proof.new[what] == proof.old[what]


def test_tasks_of_every_kind_that_an_older_program_has_queued_are_run(proof: Proof) -> None:
    assert set(proof.queued.values()) == set(proof.filled["tasks"])
    assert proof.succeeded >= set(proof.queued), proof.log[-5_000:]


def test_the_work_of_these_tasks_is_done(proof: Proof) -> None:
    waiting = proof.filled["pending"]
    assert len(waiting) == 4
    spaces = [entry["space"] for entry in proof.drained["spaces"]]
    stored = {name.rpartition(" ")[0] for name in proof.drained["features"]}
    assert {f"{space} {image_id}" for space in spaces for image_id in waiting} <= stored
    assert [entry["pending"] for entry in proof.drained["spaces"]] == [0] * len(spaces)
    assert {space: head - proof.old["heads"][space] for space, head in proof.drained["heads"].items()} == dict.fromkeys(
        spaces, len(waiting)
    )
    assert proof.drained["pending"] == []
    for kind in ("jobs", "layouts"):
        assert len(proof.drained[kind]) > len(proof.old[kind]) - 1
        assert [state for _, state, _ in proof.drained[kind]] == ["done"] * len(proof.drained[kind]), kind
