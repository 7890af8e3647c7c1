"""What people decide about duplicates is done wholly, remembered, and can be undone."""

from __future__ import annotations

import pytest

from gallery import services as gallery
from gallery.models import Album, Image
from gallery.services import delete_images
from search.duplicates import detection, grouping, services
from search.duplicates.exceptions import Decided, TooLate
from search.duplicates.models import Decision, Group, Pair, Verdict
from search.retrieval.live import forget
from tests.support.duplicates import copy, groups, ids, original

pytestmark = pytest.mark.django_db


def test_keeping_one_gathers_tags_and_albums_and_trashes_the_others():
    first, second = original(tags=["one"]), copy(tags=["two", "one"])
    album = Album.objects.create(title="Best")
    album.images.add(second)
    detection.detect()
    decision = services.keep(group_id=Group.objects.get().pk, image_id=first.pk)
    assert list(Image.objects.values_list("pk", flat=True)) == [first.pk]
    assert {tag.name for tag in first.tags.all()} == {"one", "two"}
    assert [one.pk for one in album.images.all()] == [first.pk]
    assert groups() == []
    assert decision.trashed == [second.pk]


def test_undoing_makes_it_as_it_was():
    first, second = original(tags=["one"]), copy(tags=["two", "one"])
    album = Album.objects.create(title="Best")
    album.images.add(second)
    detection.detect()
    decision = services.keep(group_id=Group.objects.get().pk, image_id=first.pk)
    services.undo(decision_id=decision.pk)
    assert {tag.name for tag in first.tags.all()} == {"one"}
    assert {tag.name for tag in Image.objects.get(pk=second.pk).tags.all()} == {"one", "two"}
    assert [one.pk for one in album.images.all()] == [second.pk]
    assert groups() == [ids(first, second)]
    with pytest.raises(TooLate):
        services.undo(decision_id=decision.pk)


def test_what_was_deleted_for_good_cannot_be_undone_and_the_decision_stays():
    first, _ = original(), copy()
    detection.detect()
    decision = services.keep(group_id=Group.objects.get().pk, image_id=first.pk)
    gallery.purge_trash(ids=decision.trashed)
    with pytest.raises(TooLate):
        services.undo(decision_id=decision.pk)
    assert Decision.objects.get().undone_at is None


def test_a_decision_is_all_or_nothing(monkeypatch):
    first, second = original(tags=["one"]), copy(tags=["two"])
    detection.detect()
    monkeypatch.setattr(services.collection, "trash_images", lambda **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        services.keep(group_id=Group.objects.get().pk, image_id=first.pk)
    assert {tag.name for tag in first.tags.all()} == {"one"}
    assert not Decision.objects.exists()
    assert groups() == [ids(first, second)]


def test_two_who_decide_at_once_do_not_trash_both():
    first, second = original(), copy()
    detection.detect()
    group = Group.objects.get().pk
    services.keep(group_id=group, image_id=first.pk)
    with pytest.raises(Decided):
        services.keep(group_id=group, image_id=second.pk)
    assert list(Image.objects.values_list("pk", flat=True)) == [first.pk]


def test_only_what_is_the_same_as_the_kept_one_goes():
    middle, left, right = original(), copy("recompressed"), copy("edited")
    detection.detect()
    Pair.objects.filter(first__in=ids(left, right), second__in=ids(left, right)).delete()
    grouping.regroup(ids(middle))
    assert groups() == [sorted(ids(middle, left, right))]
    assert Group.objects.get().keeper == middle
    services.keep(group_id=Group.objects.get().pk, image_id=left.pk)
    assert set(Image.objects.values_list("pk", flat=True)) == set(ids(left, right))


def test_not_a_duplicate_is_remembered_by_content_and_survives_everything():
    first, second = original(), copy()
    detection.detect()
    services.set_apart(group_id=Group.objects.get().pk)
    assert groups() == []
    detection.restart()
    detection.detect()
    assert groups() == []
    delete_images(ids=ids(first, second))
    original(), copy()
    forget()
    detection.detect()
    assert groups() == []
    assert Pair.objects.count() == 1


def test_one_that_is_no_duplicate_leaves_the_others_together():
    first, second, third = original(), copy("recompressed"), copy("turned")
    detection.detect()
    decision = services.set_apart(group_id=Group.objects.get().pk, image_id=third.pk)
    assert groups() == [ids(first, second)]
    services.undo(decision_id=decision.pk)
    assert groups() == [ids(first, second, third)]
    assert not Verdict.objects.exists()
