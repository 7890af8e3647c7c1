"""Index folders on disk: whole or not used, and never the only place where something is kept."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from gallery.services import add_image, delete_images
from search.exceptions import SearchError, SnapshotDamaged
from search.features.extraction import extract
from search.features.versions import state_of
from search.locks import exclusive
from search.methods import METHODS, get_method
from search.models import Snapshot, Space
from search.retrieval.engine import search
from search.retrieval.live import forget, live, view_of
from search.retrieval.queries import query_by_pixels
from search.snapshots import build
from search.snapshots.rollback import rollback
from tests.support.images import encode, scene
from tests.support.snapshots import loaded, newest

pytestmark = pytest.mark.django_db
COUNT = 12


@pytest.fixture
def ids() -> list[int]:
    return [add(seed) for seed in range(COUNT)]


def add(seed: int) -> int:
    image = add_image(data=encode(scene(seed, (120, 90)), "PNG")).image
    extract([image.pk])
    return image.pk


def first(seed: int, space: str) -> tuple[int, dict[str, str]]:
    result = search(query_by_pixels(scene(seed, (120, 90)), space), method=space)
    return result.hits[0].key, dict(result.skipped)


def folder_of(snapshot: Snapshot) -> Path:
    from django.conf import settings

    return settings.SNAPSHOT_ROOT / snapshot.folder


@pytest.mark.parametrize("space", METHODS)
def test_a_snapshot_holds_everything_up_to_its_sequence(space: str, ids: list[int]) -> None:
    snapshot = build.build(space)
    assert snapshot
    assert (snapshot.sequence, snapshot.count) == (COUNT, COUNT)
    assert loaded(snapshot).keys().tolist() == ids
    assert not build.behind(state_of(space))


@pytest.mark.parametrize("space", METHODS)
def test_a_build_without_changes_does_nothing(space: str, ids: list[int]) -> None:
    assert build.build(space)
    assert build.build(space) is None
    assert Snapshot.objects.filter(space=space).count() == 1


def test_only_one_builds_at_a_time(ids: list[int]) -> None:
    with exclusive("phash") as free:
        assert free
        assert build.build("phash") is None
        assert build.build("color")
    assert build.build("phash")


def test_old_snapshots_are_kept_for_rollback_and_then_removed(ids: list[int], settings) -> None:
    settings.SNAPSHOTS_KEPT = 2
    for seed in range(COUNT, COUNT + 4):
        build.build("phash")
        add(seed)
    kept = list(Snapshot.objects.filter(space="phash"))
    assert [one.sequence for one in kept] == [COUNT + 3, COUNT + 2]
    assert {path.name for path in (settings.SNAPSHOT_ROOT / "phash").iterdir()} == {
        Path(one.folder).name for one in kept
    }


def test_snapshots_that_cannot_serve_do_not_take_the_places_of_those_that_can(ids: list[int], settings) -> None:
    settings.SNAPSHOTS_KEPT = 2
    made = [build.build("phash")]
    for seed in range(COUNT, COUNT + 3):
        add(seed)
        made.append(build.build("phash"))
        if len(made) == 2:
            rollback("phash", "a test")
    problems = Snapshot.objects.filter(space="phash").order_by("pk").values_list("sequence", "problem")
    assert list(problems) == [(COUNT + 2, ""), (COUNT + 3, "")]


def test_what_a_killed_build_left_is_removed_by_the_next(ids: list[int], settings) -> None:
    rubbish = settings.SNAPSHOT_ROOT / "phash" / ".0123"
    rubbish.mkdir(parents=True)
    (rubbish / "words.npy").write_bytes(b"half")
    build.build("phash")
    assert not rubbish.exists()


@pytest.mark.parametrize("space", METHODS)
def test_any_damage_is_noticed_and_the_search_goes_on_and_says_so(space: str, ids: list[int]) -> None:
    snapshot = build.build(space)
    assert snapshot
    dice = random.Random(5)
    files = sorted(folder_of(snapshot).iterdir())
    for file in files:
        whole = file.read_bytes()
        place = dice.randrange(len(whole))
        broken = whole[:place], whole[:place] + bytes([whole[place] ^ 1 << dice.randrange(8)]) + whole[place + 1 :]
        for damaged in broken:
            file.write_bytes(damaged)
            with pytest.raises(SnapshotDamaged):
                loaded(snapshot)
        file.write_bytes(whole)
    files[0].unlink()
    forget()
    key, skipped = first(3, space)
    assert key == ids[3]
    assert "damaged" in skipped[space]


def test_the_snapshot_before_serves_when_the_newest_is_lost(ids: list[int]) -> None:
    old = build.build("phash")
    late = add(COUNT)
    new = build.build("phash")
    assert old
    assert new
    shutil.rmtree(folder_of(new))
    forget()
    found = newest("phash")
    assert (found.snapshot, len(found.index)) == (old, COUNT)
    assert found.problem
    assert first(COUNT, "phash")[0] == late


def test_a_damaged_snapshot_is_rebuilt(ids: list[int]) -> None:
    snapshot = build.build("phash")
    assert snapshot
    shutil.rmtree(folder_of(snapshot))
    forget()
    first(1, "phash")
    assert build.due(state_of("phash"))
    fresh = build.build("phash")
    assert fresh
    assert fresh.count == COUNT
    forget()
    assert first(1, "phash") == (ids[1], {})


def test_another_kind_of_index_is_built_when_the_setting_says_so(ids: list[int], settings) -> None:
    build.build("phash")
    settings.SPACE_INDEXES = {"phash": "brute"}
    forget()
    assert first(1, "phash")[0] == ids[1]
    assert build.due(state_of("phash"))
    fresh = build.build("phash")
    assert fresh
    assert fresh.index == "brute"


@pytest.mark.django_db(transaction=True)
def test_a_process_swaps_to_a_newer_snapshot_and_empties_its_tail(ids: list[int]) -> None:
    assert len(view_of(state_of("phash")).tail) == COUNT
    build.build("phash")
    holder = live("phash")
    holder.view(state_of("phash"))
    if holder._loading:
        holder._loading.join()
    view = holder.view(state_of("phash"))
    assert (len(view.index), len(view.tail)) == (COUNT, 0)


def test_after_a_rollback_the_snapshot_before_serves_and_nothing_is_lost(ids: list[int]) -> None:
    good = build.build("phash")
    late = add(COUNT)
    bad = build.build("phash")
    forget()
    assert good
    assert bad
    assert rollback("phash", "Ann") == good
    assert Space.objects.get(pk="phash").snapshot == good
    assert Snapshot.objects.get(pk=bad.pk).problem == "rolled back by Ann"
    assert folder_of(bad).is_dir()
    forget()
    assert first(COUNT, "phash") == (late, {})
    view = view_of(state_of("phash"))
    assert (view.snapshot_id, len(view.index), len(view.tail)) == (good.pk, COUNT, 1)


def test_the_build_after_a_rollback_does_not_begin_with_what_was_rolled_back(ids: list[int]) -> None:
    good = build.build("phash")
    add(COUNT)
    bad = build.build("phash")
    rollback("phash", "Ann")
    assert good
    assert bad
    assert newest("phash").snapshot == good
    fresh = build.build("phash")
    assert fresh
    assert fresh.pk > bad.pk
    assert (fresh.sequence, fresh.count, fresh.problem) == (COUNT + 1, COUNT + 1, "")
    assert rollback("phash", "Ann") == good


def test_a_rollback_passes_over_what_is_damaged(ids: list[int]) -> None:
    made = [build.build("phash")]
    for seed in range(COUNT, COUNT + 2):
        add(seed)
        made.append(build.build("phash"))
    shutil.rmtree(folder_of(made[1]))
    assert rollback("phash", "Ann") == made[0]


def test_there_is_no_rollback_without_an_earlier_snapshot_or_during_a_build(ids: list[int]) -> None:
    with pytest.raises(SearchError, match="no earlier snapshot"):
        rollback("phash", "Ann")
    build.build("phash")
    with pytest.raises(SearchError, match="no earlier snapshot"):
        rollback("phash", "Ann")
    with exclusive("phash"), pytest.raises(SearchError, match="being built"):
        rollback("phash", "Ann")
    assert first(1, "phash") == (ids[1], {})


def test_the_command_rolls_back_and_tells_what_serves(ids: list[int], capsys: pytest.CaptureFixture[str]) -> None:
    build.build("phash")
    add(COUNT)
    build.build("phash")
    call_command("rollback_index", space="phash")
    assert f"up to change {COUNT:,}" in capsys.readouterr().out
    with pytest.raises(CommandError, match="no earlier snapshot"):
        call_command("rollback_index", space="phash")


@pytest.mark.django_db(transaction=True)
def test_a_running_process_follows_a_rollback(ids: list[int]) -> None:
    good = build.build("phash")
    add(COUNT)
    build.build("phash")
    holder = live("phash")
    holder.view(state_of("phash"))
    rollback("phash", "Ann")
    holder.view(state_of("phash"))
    if holder._loading:
        holder._loading.join()
    assert good
    view = holder.view(state_of("phash"))
    assert (view.snapshot_id, len(view.keys())) == (good.pk, COUNT + 1)


@pytest.mark.parametrize("space", METHODS)
def test_a_view_answers_from_what_is_allowed_only(space: str, ids: list[int]) -> None:
    build.build(space)
    forget()
    late = [add(seed) for seed in range(COUNT, COUNT + 3)]
    delete_images(ids=[ids[4]])
    allowed = np.array([ids[2], ids[4], late[1], 10**9])
    query = get_method(space).queries(get_method(space).extract(scene(3, (120, 90))))[0]
    found = view_of(state_of(space)).search(query, 10, allowed)
    assert sorted(found.keys.tolist()) == [ids[2], late[1]]
    assert len(view_of(state_of(space)).search(query, 1, allowed)) == 1


def test_a_rollback_and_the_last_check_are_in_the_admin(ids: list[int], admin_client: Client) -> None:
    good = build.build("phash")
    add(COUNT)
    build.build("phash")
    url = reverse("admin:search_space_changelist")
    assert "never" in admin_client.get(url).text
    call_command("check_index", space="phash")
    assert "recall 1.000, p50 " in admin_client.get(url).text
    action = {"action": "roll_back", "_selected_action": ["phash"]}
    told = [admin_client.post(url, action, follow=True).text for _ in range(2)]
    assert f"at {COUNT} serves again" in told[0]
    assert "There is no earlier snapshot of phash" in told[1]
    assert Space.objects.get(pk="phash").snapshot == good
    assert Snapshot.objects.get(space="phash", sequence=COUNT + 1).problem == "rolled back by admin"
