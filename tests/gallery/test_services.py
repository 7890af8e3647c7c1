from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from django.core.files.storage import default_storage

from gallery.exceptions import ImageRejected
from gallery.models import THUMBNAIL_SIZES, Image, Tag
from gallery.services import add_image, delete_images, update_image
from gallery.text import clean_text
from search.features.extraction import extract
from tests.support.images import encode, scene

pytestmark = pytest.mark.django_db


def picture(seed: int = 1) -> bytes:
    return encode(scene(seed, (300, 200)), "JPEG")


def stored_files(settings) -> list[Path]:
    return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


def test_the_original_is_kept_untouched_under_its_hash(settings) -> None:
    data = picture()
    image = add_image(data=data, file_name="a.png").image
    digest = hashlib.sha256(data).hexdigest()
    assert image.file_name == f"originals/{digest[:2]}/{digest[2:4]}/{digest}.jpg"
    assert default_storage.open(image.file_name).read() == data


def test_what_is_rejected_leaves_nothing_behind(settings) -> None:
    with pytest.raises(ImageRejected):
        add_image(data=picture()[:500], tags=["broken"])
    assert not Image.objects.exists()
    assert not Tag.objects.exists()
    assert not stored_files(settings)


def test_the_title_comes_from_the_file_name_whatever_is_in_it() -> None:
    assert add_image(data=picture(1), file_name="C:\\photos\\My cat.jpeg").image.title == "My cat"
    assert add_image(data=picture(2), file_name="../../etc/passwd").image.title == "passwd"
    assert add_image(data=picture(3), file_name="x\x00y\u202egnp.jpg").image.title == "x y gnp"
    assert len(add_image(data=picture(4), file_name="long" * 100).image.title) == 200


def test_text_is_cleaned_to_one_line() -> None:
    assert clean_text("  a\n\tb\u200bc  ", 10) == "a b c"


def test_tags_are_lower_case_and_unique() -> None:
    image = add_image(data=picture(), tags=["Sea", "sea ", "", "Two words"]).image
    assert [tag.name for tag in image.tags.all()] == ["sea", "two words"]
    update_image(image=image, tags=["sky"])
    assert [tag.name for tag in image.tags.all()] == ["sky"]
    update_image(image=image, title="New")
    assert [tag.name for tag in image.tags.all()] == ["sky"]


def test_deleting_removes_the_row_and_every_file(settings) -> None:
    image = add_image(data=picture()).image
    extract([image.pk])
    assert len(stored_files(settings)) == 1 + len(image.thumbnail_sizes)
    assert delete_images(ids=[image.pk, 999]) == 1
    assert not Image.objects.exists()
    assert not stored_files(settings)


def test_an_id_is_never_used_again() -> None:
    first = add_image(data=picture(1)).image.pk
    delete_images(ids=[first])
    assert add_image(data=picture(1)).image.pk > first


def test_thumbnails_carry_no_metadata_and_keep_the_shape(settings) -> None:
    import PIL.Image

    exif = PIL.Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8825)[1] = "N"
    data = encode(scene(1, (1500, 900)), "JPEG", exif=exif)
    image = add_image(data=data).image
    assert image.camera == "Maker"
    extract([image.pk])
    image.refresh_from_db()
    assert image.thumbnailed
    for size in THUMBNAIL_SIZES:
        small = PIL.Image.open(default_storage.open(image.thumbnail_name(size)))
        assert small.format == "WEBP"
        assert max(small.size) == size
        assert small.width / small.height == pytest.approx(1500 / 900, rel=0.01)
        assert not small.getexif()


def test_a_small_picture_is_not_stored_in_sizes_that_it_has_not() -> None:
    image = add_image(data=encode(scene(1, (300, 200)), "JPEG")).image
    assert image.thumbnail_sizes == (256, 512)
    extract([image.pk])
    image.refresh_from_db()
    assert image.thumbnail_url(1024) == image.thumbnail_url(512)
    assert image.srcset.endswith("-512.webp 300w")


def test_until_the_worker_made_them_a_placeholder_is_shown() -> None:
    image = add_image(data=picture()).image
    assert image.thumbnail_url().startswith("/static/placeholder")
    assert image.srcset == ""
    extract([image.pk])
    image.refresh_from_db()
    assert image.thumbnail_url(512).endswith("-512.webp")
    assert image.srcset.endswith(" 300w")
