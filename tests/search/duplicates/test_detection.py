"""Duplicates are found and grouped; nothing is lost when something comes between."""

from __future__ import annotations

import io

import numpy as np
import pytest
from django.core.management import call_command
from PIL import Image as Picture

from gallery.services import delete_images, restore_images, trash_images
from search.duplicates import detection, tasks
from search.duplicates.models import Cursor, Group, Member, Pair, Recheck
from tests.support.duplicates import COPIES, SIZE, add, copy, groups, ids, original
from tests.support.images import encode, scene

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_found_and_named(kind):
    first, second, other = original(), copy(kind), original(2)
    assert detection.detect() == 3
    assert groups() == [ids(first, second)]
    assert Group.objects.get().relation == kind
    assert Pair.objects.get().relation == kind
    assert other.pk not in groups()[0]


def test_a_crop_is_found_where_a_space_says_that_pictures_share_a_part(monkeypatch):
    whole, part = original(), add(encode(np.ascontiguousarray(scene(1, SIZE)[30:210, 40:280]), "PNG"))
    placement = np.array([[0.75, 0, 0.125], [0, 0.75, 0.125]])
    monkeypatch.setattr(detection.candidates, "sharing_parts", lambda key: {(whole.pk, part.pk): placement})
    Recheck.objects.create(image_id=part.pk)
    detection.detect()
    assert groups() == [ids(whole, part)]
    assert Group.objects.get().relation == "crop"
    assert Group.objects.get().keeper == whole


def test_only_new_pictures_are_compared_and_once():
    original(1), original(2)
    assert detection.detect() == 2
    assert detection.detect() == detection.waiting() == 0
    copy(seed=2)
    assert detection.waiting() == 1
    assert detection.detect() == 1
    assert len(groups()) == 1


def test_many_at_once_give_the_same_pairs_as_one_by_one(monkeypatch):
    for seed in range(4):
        original(seed), copy("recompressed", seed), copy("turned", seed)
    detection.detect()
    few = groups()
    assert len(few) == 4
    Pair.objects.all().delete()
    Group.objects.all().delete()
    monkeypatch.setattr(detection.candidates, "FEW", 0)
    detection.restart()
    assert detection.detect() == 12
    assert groups() == few


def test_flat_pictures_are_no_copies_of_each_other_unless_all_pixels_are_equal():
    def flat(level, format_name, size=(120, 90)):
        return add(encode(Picture.new("RGB", size, (level,) * 3), format_name))

    white, same = flat(255, "PNG"), flat(255, "BMP")
    for level in range(0, 250, 50):
        flat(level, "PNG")
    flat(255, "PNG", (90, 120))
    detection.detect()
    assert groups() == [ids(white, same)]


def test_a_process_killed_between_batches_goes_on_from_there(monkeypatch):
    monkeypatch.setattr(detection, "BATCH", 2)
    first = ids(original(1), copy(seed=1))
    second = ids(original(2), copy(seed=2))
    third = ids(original(3), copy(seed=3))
    stored, store = [], detection._store

    def dies(batch, found):
        if len(stored) == 1:
            raise KeyboardInterrupt
        stored.append(batch)
        store(batch, found)

    monkeypatch.setattr(detection, "_store", dies)
    with pytest.raises(KeyboardInterrupt):
        detection.detect()
    assert groups() == [first]
    monkeypatch.setattr(detection, "_store", store)
    assert detection.detect() == 4
    assert groups() == [first, second, third]


def test_groups_close_up_when_a_picture_goes_and_open_when_it_comes_back():
    first, second, third = original(), copy("recompressed"), copy("turned")
    detection.detect()
    trash_images(ids=[third.pk])
    assert groups() == [ids(first, second)]
    trash_images(ids=[second.pk])
    assert groups() == []
    restore_images(ids=ids(second, third))
    assert groups() == [ids(first, second, third)]
    trash_images(ids=ids(first, second, third))
    assert groups() == []
    restore_images(ids=ids(first, second, third))
    assert groups() == [ids(first, second, third)]
    delete_images(ids=[first.pk])
    assert groups() == [ids(second, third)]
    assert not Pair.objects.filter(first=first.pk).exists()


def test_when_the_middle_of_a_group_goes_its_partners_are_looked_at_again():
    middle, left, right = original(), copy("recompressed"), copy("edited")
    detection.detect()
    Pair.objects.filter(first__in=ids(left, right), second__in=ids(left, right)).delete()
    delete_images(ids=[middle.pk])
    assert groups() == []
    assert set(Recheck.objects.values_list("pk", flat=True)) == set(ids(left, right))
    detection.detect()
    assert groups() == [ids(left, right)]
    assert not Recheck.objects.exists()


def test_a_group_keeps_its_number_when_it_grows():
    original(), copy("recompressed")
    detection.detect()
    number = Group.objects.get().pk
    copy("turned")
    detection.detect()
    assert Group.objects.get().pk == number
    assert Group.objects.get().size == Member.objects.count() == 3


def test_a_picture_that_cannot_be_read_does_not_stop_the_others(settings):
    first, _ = original(1), copy(seed=1)
    good = ids(original(2), copy(seed=2))
    for path in settings.MEDIA_ROOT.rglob(f"{first.sha256}*"):
        path.unlink()
    assert detection.detect() == 4
    assert groups() == [good]


def test_the_task_and_the_command_find_them(capsys):
    original(), copy()
    tasks.sweep()
    assert len(groups()) == 1
    call_command("find_duplicates", again=True)
    assert "2 pictures were compared; 1 groups wait" in capsys.readouterr().out


def test_an_error_is_shown_where_people_look(monkeypatch):
    original()
    monkeypatch.setattr(detection, "_compare_batch", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tasks.find()
    assert Cursor.objects.get().problem == "ZeroDivisionError: division by zero"
    monkeypatch.undo()
    tasks.find()
    assert Cursor.objects.get().problem == ""


def test_real_photographs_that_differ_are_not_taken_for_copies(shared_data):
    files = [
        path for folder in sorted((shared_data / "caltech").iterdir())[:12] for path in sorted(folder.iterdir())[:8]
    ]
    for path in files:
        add(path.read_bytes())
    file = io.BytesIO()
    Picture.open(files[3]).convert("RGB").save(file, "JPEG", quality=40)
    copied = add(file.getvalue())
    detection.detect()
    assert [copied.pk in group and len(group) for group in groups()] == [2]
