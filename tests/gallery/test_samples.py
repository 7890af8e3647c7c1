"""The sample gallery."""

from __future__ import annotations

import re

import pytest

from gallery import samples
from gallery.models import Image
from gallery.services import add_image
from search.retrieval.engine import search
from search.retrieval.queries import query_by_image
from tests.support.images import encode, scene
from tests.support.paths import ROOT

pytestmark = pytest.mark.django_db

SOURCES = ROOT / "docs" / "sample-gallery.md"


@pytest.fixture(autouse=True)
def _own_folder(settings, tmp_path):
    settings.DATA = tmp_path


def test_every_photograph_comes_with_its_edited_copies():
    count = len(samples.PHOTOGRAPHS) * (1 + len(samples.EDITS))
    assert samples.load() == count
    assert Image.objects.filter(tags__name="sample").count() == count
    assert Image.objects.filter(tags__name="coffee").count() == 1 + len(samples.EDITS)
    assert Image.objects.get(title="Coffee, half as large").width == Image.objects.get(title="Coffee").width // 2


def test_loading_again_adds_nothing():
    samples.load()
    assert samples.load() == 0


def test_they_are_wanted_until_loaded_whole():
    assert samples.due()
    data, title, tags = next(samples.pictures(samples.folder()))
    add_image(data=data, title=title, tags=tags)
    assert samples.due()
    samples.load()
    Image.objects.all().delete()
    assert not samples.due()


def test_a_gallery_with_other_pictures_wants_none():
    add_image(data=encode(scene()))
    assert not samples.due()


def test_every_way_of_searching_has_something_to_show(worker):
    samples.load()
    worker()
    coffee = Image.objects.get(title="Coffee")
    for space, edits in {"phash": {"turned", "mirrored", "small"}, "color": {"turned", "mirrored", "cropped"}}.items():
        hits = search(query_by_image(coffee.pk, space), method=space, limit=5).hits
        found = Image.objects.filter(pk__in=[hit.key for hit in hits], tags__name="coffee")
        assert edits <= _tags(found), space


def test_the_documentation_names_the_source_and_licence_of_every_photograph():
    rows = dict(re.findall(r"^\| `([\w.]+)` \|(.+)\|$", SOURCES.read_text(), re.MULTILINE))
    for name in samples.PHOTOGRAPHS:
        assert (
            "CC0" in rows[name] or "public domain" in rows[name].lower() or "no known copyright" in rows[name].lower()
        )


def _tags(images) -> set[str]:
    return {tag.name for image in images for tag in image.tags.all()}
