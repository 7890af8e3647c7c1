"""A version that answered before can answer again; what nobody can go back to is deleted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from search.exceptions import SearchError
from search.features import backlog
from search.features.extraction import extract
from search.features.versions import state_of
from search.jobs import reindexing
from search.methods import get_method
from search.models import Feature, Job, Snapshot
from search.retrieval.live import forget
from search.snapshots import build, retention
from search.snapshots.rollback import rollback
from tests.support import tiny_encoder
from tests.support.versions import COUNT, SPACE, add, everything_is_found, version

pytestmark = pytest.mark.django_db


def test_after_a_rollback_the_old_version_answers_and_the_new_one_does_not_come_back(
    root: Path, ids: list[int], worker: Callable[[], None]
) -> None:
    old = version()
    tiny_encoder.make(root, seed=1)
    extract(ids)
    build.build(SPACE)
    ids.append(add(COUNT))
    extract(ids)  # has the new version only
    assert rollback(SPACE, "Ann").version == old
    forget()
    for _ in range(2):
        reindexing.start_job(spaces=[SPACE])
        worker()
    assert (version(), backlog.pending(state_of(SPACE)), build.behind(state_of(SPACE))) == (old, 0, False)
    forget()
    assert everything_is_found(ids)
    assert not Job.objects.exclude(state="done").exists()


def test_a_version_that_was_rolled_back_comes_again_when_it_is_asked_for(root: Path, ids: list[int]) -> None:
    old = version()
    tiny_encoder.make(root, seed=1)
    extract(ids)
    build.build(SPACE)
    new = version()
    rollback(SPACE, "Ann")
    build.build(SPACE)
    assert version() == old
    call_command("build_index", space=SPACE, accept=True)
    assert version() == new
    forget()
    assert everything_is_found(ids)


def test_a_third_model_is_taken_after_a_rollback(root: Path, ids: list[int]) -> None:
    for seed in (1, 2):
        tiny_encoder.make(root, seed=seed)
        extract(ids)
        build.build(SPACE)
        if seed == 1:
            rollback(SPACE, "Ann")
    assert version() == get_method(SPACE).version
    forget()
    assert everything_is_found(ids)


def test_the_command_goes_back_to_the_model_before_past_snapshots_of_the_same(root: Path, ids: list[int]) -> None:
    old = version()
    tiny_encoder.make(root, seed=1)
    extract(ids)
    for seed in range(COUNT, COUNT + 3):
        build.build(SPACE)
        ids.append(add(seed))
        extract(ids)
    build.build(SPACE)
    call_command("rollback_index", space=SPACE)
    assert version() != old
    call_command("rollback_index", space=SPACE, version_before=True)
    assert version() == old
    with pytest.raises(CommandError, match="no earlier snapshot"):
        call_command("rollback_index", space=SPACE, version_before=True)


def test_there_is_no_rollback_to_a_version_whose_model_is_gone(root: Path, ids: list[int]) -> None:
    tiny_encoder.make(root, seed=1)
    extract(ids)
    build.build(SPACE)
    forget()
    kept = (root / "tiny").resolve()
    for folder in root.glob("tiny.*"):
        if folder.resolve() != kept:
            folder.rename(root / "elsewhere")
    with pytest.raises(SearchError, match="no earlier snapshot"):
        rollback(SPACE, "Ann")
    assert everything_is_found(ids)


def test_the_version_before_is_kept_and_older_ones_are_deleted(root: Path, ids: list[int]) -> None:
    versions = [version()]
    for seed in (1, 2):
        tiny_encoder.make(root, seed=seed)
        extract(ids)
        build.build(SPACE)
        versions.append(version())
    stored = set(Feature.objects.filter(space=SPACE).values_list("version", flat=True))
    assert stored == set(versions[1:])
    assert set(Snapshot.objects.filter(space=SPACE).values_list("version", flat=True)) == stored
    retention.prune(state_of(SPACE))
    assert rollback(SPACE, "Ann").version == versions[1]


def test_a_version_that_was_never_complete_is_deleted(root: Path, ids: list[int]) -> None:
    tiny_encoder.make(root, seed=1)
    extract(ids[:3])
    abandoned = get_method(SPACE).version
    tiny_encoder.make(root, seed=2)
    extract(ids)
    build.build(SPACE)
    assert version() == get_method(SPACE).version
    assert not Feature.objects.filter(version=abandoned).exists()
