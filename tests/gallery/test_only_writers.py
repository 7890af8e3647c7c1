"""Rows of pictures, tags and albums are written in gallery/services/ and nowhere else."""

from __future__ import annotations

import pytest
from django.contrib import admin

from gallery.models import Album, Image, Tag
from tests.support.gallery_writers import model_forms, writes
from tests.support.paths import ROOT

WRITERS = ROOT / "gallery" / "services"
FILES = [
    path
    for app in ("gallery", "search", "imagesite")
    for path in sorted((ROOT / app).rglob("*.py"))
    if "migrations" not in path.parts and not path.is_relative_to(WRITERS)
]


def test_nobody_writes_pictures_tags_or_albums_but_the_services() -> None:
    forms = {name for path in FILES for name in model_forms(path.read_text())}
    assert "AlbumForm" in forms
    found = {str(path.relative_to(ROOT)): writes(path.read_text(), forms) for path in FILES}
    assert {path: calls for path, calls in found.items() if calls} == {}


def test_the_services_do_write() -> None:
    assert sum(len(writes(path.read_text())) for path in WRITERS.glob("*.py")) >= 15


IMPORT = "from gallery.models import Album, Image, Tag\nfrom search.collection import images\n"


@pytest.mark.parametrize(
    "code",
    [
        "Image.objects.filter(pk=1).update(title='x')",
        "Image.everything.all().delete()",
        "images().filter(pk=1).update(title='x')",
        "Tag.objects.bulk_create([Tag(name='x')])",
        "Album.objects.create(title='x')",
        "image = Image.objects.get(pk=1)\nimage.save()",
        "album = get_object_or_404(Album, pk=1)\nalbum.delete()",
        "if album := Album.objects.first():\n    album.save()",
        "for image in Image.objects.all():\n    image.save()",
        "[tag.delete() for tag in Tag.objects.all()]",
        "first, second = list(Image.objects.all())\nsecond.save()",
        "def rename(image: Image | None) -> None:\n    image.save()",
        "def rename(images: 'QuerySet[Image]') -> None:\n    images.update(title='x')",
        "def one() -> Album: ...\none().save()",
        "form = AlbumForm(data)\nform.save()",
        "def made(form: AlbumForm) -> None:\n    form.save()",
        "anything.tags.add(1)",
        "kept.albums.remove(1)",
        "album.images.set([])",
        "Image.tags.through.objects.filter(pk=1).delete()",
        "(Album.objects.first() or Album(title='x')).save()",
        "async def f() -> None:\n    await Image.objects.aupdate(title='x')",
    ],
)
def test_a_writer_elsewhere_is_found(code: str) -> None:
    assert len(writes(IMPORT + code, {"AlbumForm"})) == 1


@pytest.mark.parametrize(
    "code",
    [
        "Image.objects.filter(pk=1).exists()",
        "default_storage.save(image.file_name, data)",
        "Snapshot.objects.create(space='x')",
        "def save(pixels: PIL.Image.Image) -> None:\n    pixels.save(out)",
        "digest.update(b'x')",
        "tags.add('x')",
        "space = Space.objects.get(pk=1)\nspace.save()",
        "services.delete_images(ids=[image.pk for image in Image.objects.all()])",
    ],
)
def test_others_may_save_what_is_theirs(code: str) -> None:
    assert writes(IMPORT + code) == []


@pytest.mark.parametrize("model", [Image, Tag, Album])
def test_the_admin_writes_through_the_services_too(model: type[Image | Tag | Album]) -> None:
    used = type(admin.site.get_model_admin(model))
    writers = ["save_model", "delete_model", "delete_queryset", *(["save_related"] if model._meta.many_to_many else [])]
    assert [name for name in writers if getattr(used, name) is getattr(admin.ModelAdmin, name)] == []
