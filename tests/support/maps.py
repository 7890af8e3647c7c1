"""Maps for tests: made, read, and looked at cell by cell."""

import numpy as np

from search.map import services, tiles
from search.map.models import Layout, Tile
from search.map.positions import current, serving
from tests.support.pages import add

SPACE = "color"


def fill(worker, count, begin=0):
    images = [add(seed, title=f"scene {seed}", tags=[f"group {seed % 3}"]) for seed in range(begin, begin + count)]
    worker()
    return images


def make(space=SPACE):
    services.advance(services.request_layout(space=space).pk)
    layout = serving(space)
    assert layout is not None
    return layout


def fresh(layout):
    return Layout.objects.get(pk=layout.pk)


def ids_on(layout):
    return set(current(fresh(layout)).positions["id"].tolist())


def centre_of(layout, image):
    positions = current(fresh(layout)).positions
    return positions[positions["id"] == image.pk][["x", "y"]].tolist()


def colour_at(layout, image):
    """Mean colour of a picture's cell on its tile of the finest level."""
    now = current(fresh(layout))
    slot = int(now.slots[now.positions["id"] == image.pk][0])
    return colour_of_slot(layout, slot)


def colour_of_slot(layout, slot):
    tile = Tile.objects.get(layout=layout, level=128, number=slot // 64)
    left, top = tiles.cell(slot, 128)
    return np.asarray(tiles.read(tile).crop((left + 8, top + 8, left + 120, top + 120))).mean(axis=(0, 1))
