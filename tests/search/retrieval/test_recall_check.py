"""The self-check tells a good index from a bad one, and says so by its exit code."""

from __future__ import annotations

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from gallery.models import Image
from gallery.services import add_image, delete_images
from search.features.store import NewFeature, store
from search.features.versions import state_of
from search.indexes.metrics import METRICS
from search.methods import METHODS, get_method
from search.models import Feature, SelfCheck
from search.retrieval import recall_check
from search.retrieval.live import forget, view_of
from search.snapshots import build
from search.types import Features
from tests.support import random_features
from tests.support.images import encode, scene

pytestmark = pytest.mark.django_db
COUNT = 120


@pytest.fixture
def ids() -> list[int]:
    """Pictures of which only the features matter here."""
    first = add_image(data=encode(scene(0, (40, 30)), "PNG")).image
    fields = {field.name: getattr(first, field.name) for field in Image._meta.concrete_fields}
    made = [Image(**fields | {"id": first.pk + n, "sha256": f"{n:064x}"}) for n in range(1, COUNT)]
    Image.objects.bulk_create(made)
    keys = [first.pk, *(image.pk for image in made)]
    for space in METHODS:
        put(space, keys, seed=1)
    return keys


def put(space: str, keys: list[int], seed: int) -> None:
    dice = np.random.default_rng(seed)
    store([NewFeature(key, space, get_method(space).version, random_features.feature(space, dice)) for key in keys])


def rows_of(space: str) -> Features:
    return np.concatenate([rows for _, rows in recall_check.chunks(state_of(space))])


@pytest.mark.parametrize("space", METHODS)
def test_a_good_index_passes(space: str, ids: list[int], capsys: pytest.CaptureFixture[str]) -> None:
    build.build(space)
    delete_images(ids=ids[:5])
    put(space, ids[5:9], seed=2)
    forget()
    call_command("check_index", space=space, sample=50)
    told = capsys.readouterr().out
    assert f"{space}: recall@10 1.000 of 50 searches; latency p50 " in told
    assert "missing 0, orphaned 0" in told
    kept = SelfCheck.objects.get(space=space)
    assert (kept.recall, kept.sampled, kept.missing, kept.orphaned) == (1.0, 50, 0, 0)
    assert 0 < kept.p50 <= kept.p95 <= kept.p99


def test_an_empty_space_passes() -> None:
    call_command("check_index")
    assert SelfCheck.objects.count() == len(METHODS)


@pytest.mark.parametrize("space", METHODS)
def test_missing_and_orphaned_pictures_are_counted_and_fail_the_check(space: str, ids: list[int]) -> None:
    build.build(space)
    forget()
    view_of(state_of(space))
    Feature.objects.filter(space=space, image_id__in=ids[:2]).delete()  # behind the program's back
    lost = Feature.objects.get(space=space, image_id=ids[2])
    Feature.objects.create(space_id=space, version=lost.version, image_id=10**6, data=lost.data, sequence=-1)
    checked = recall_check.check(space)
    assert (checked.missing, checked.orphaned) == (1, 2)
    with pytest.raises(CommandError, match=r"1 stored pictures cannot be found[\s\S]*2 pictures can be found"):
        call_command("check_index", space=space)


@pytest.mark.parametrize("space", METHODS)
def test_an_index_with_other_rows_than_are_stored_falls_under_the_floor(space: str, ids: list[int]) -> None:
    build.build(space)
    forget()
    view_of(state_of(space))
    dice = np.random.default_rng(9)
    for feature in Feature.objects.filter(space=space):
        Feature.objects.filter(pk=feature.pk).update(data=random_features.feature(space, dice))
    checked = recall_check.check(space)
    assert checked.recall < 0.5
    assert recall_check.faults(checked, floor=0.0) == []
    with pytest.raises(CommandError, match=r"the floor is 0\.95"):
        call_command("check_index", space=space)


def test_equally_near_pictures_are_equally_right(ids: list[int]) -> None:
    row = bytes(128)
    store([NewFeature(key, "phash", get_method("phash").version, row) for key in ids[:60]])
    assert recall_check.check("phash").recall == 1.0


@pytest.mark.parametrize("space", METHODS)
def test_the_exact_search_reads_everything_in_chunks(
    space: str, ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recall_check, "CHUNK", 7)
    rows = rows_of(space)
    query = rows[50]
    by_hand = np.sort(METRICS[get_method(space).metric].distances(query, rows))[: recall_check.K + 1]
    state = state_of(space)
    nearest = recall_check.exact(state, view_of(state), query[np.newaxis])[0]
    assert nearest.distances.tolist() == by_hand.tolist()


def test_what_changes_during_the_check_is_left_out(ids: list[int]) -> None:
    view = view_of(state_of("phash"))
    put("phash", ids[:3], seed=9)
    assert sorted(recall_check.changed_since("phash", view).tolist()) == ids[:3]
