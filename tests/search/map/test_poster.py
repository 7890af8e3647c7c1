"""The map as one large picture."""

import numpy as np
import PIL.Image
import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from search.map.positions import current, serving
from search.map.poster import LARGEST, Poster
from tests.support.maps import SPACE, fill, make

pytestmark = pytest.mark.django_db


def test_the_command_writes_the_whole_map(tmp_path, worker):
    images = fill(worker, 6)
    file = tmp_path / "map.png"
    call_command("export_map", str(file), space=SPACE, size=700, make=True, verbosity=0)
    picture = PIL.Image.open(file)
    assert max(picture.size) == 700
    poster = Poster(serving(SPACE), 700)
    positions = current(serving(SPACE)).positions
    [at] = np.flatnonzero(positions["id"] == images[2].pk)
    x, y = ((positions[axis][at] - poster.low[i]) * poster.unit for i, axis in enumerate("xy"))
    with default_storage.open(images[2].thumbnail_name(256)) as thumbnail:
        expected = np.asarray(PIL.Image.open(thumbnail).convert("RGB")).mean(axis=(0, 1))
    half = poster.unit * 0.25
    box = tuple(round(value) for value in (x - half, y - half, x + half, y + half))
    assert np.abs(np.asarray(picture.crop(box)).mean(axis=(0, 1)) - expected).max() < 40


def test_the_command_needs_a_map_and_a_size_within_bounds(tmp_path, worker):
    fill(worker, 5)
    with pytest.raises(CommandError, match="--make"):
        call_command("export_map", str(tmp_path / "map.png"), space=SPACE, verbosity=0)
    make()
    with pytest.raises(CommandError, match=str(LARGEST)):
        call_command("export_map", str(tmp_path / "map.png"), space=SPACE, size=LARGEST + 1, verbosity=0)


def test_the_largest_poster_is_never_held_whole(worker):
    fill(worker, 5)
    strips = Poster(make(), LARGEST).strips()
    assert next(strips).shape[0] <= 256
