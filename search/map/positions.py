"""The positions that a map shows now: those laid out, those added later, less the pictures that are gone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from django.core.cache import cache
from django.db.models import Exists, OuterRef
from numpy.typing import NDArray

from search.collection import Image
from search.map.codec import Positions, for_browsers, unpack
from search.map.models import Layout, Point
from search.models import Feature, Space

CACHE_SECONDS = 600  # of the bytes for browsers


@dataclass(frozen=True, slots=True)
class CurrentPositions:
    """Positions and their ``slots``, in the same order; a slot is a picture's number on the tiles."""

    positions: Positions
    slots: NDArray[np.int64]


def serving(space: str) -> Layout | None:
    """The map of a space that visitors see."""
    return Layout.objects.defer("positions").filter(space=space, state=Layout.State.DONE).first()


def current(layout: Layout) -> CurrentPositions:
    """All pictures of a map that exist now; a deleted one is left out from its deletion on."""
    base = unpack(Layout.objects.values_list("positions", flat=True).get(pk=layout.pk))
    changes = list(Point.objects.filter(layout=layout).order_by("slot").values_list("slot", "position", "gone"))
    later = [unpack(position) for slot, position, _ in changes if slot >= len(base)]
    positions = np.concatenate([base, *later]) if later else base
    slots = np.concatenate([np.arange(len(base)), [slot for slot, _, _ in changes if slot >= len(base)]]).astype(int)
    gone_slots = {slot for slot, _, gone in changes if gone}
    visible = ~np.isin(slots, list(gone_slots)) & ~np.isin(positions["id"], deleted_since(layout))
    return CurrentPositions(positions[visible], slots[visible])


def deleted_since(layout: Layout) -> list[int]:
    """Pictures that were deleted since the map was last brought up to date, read from the few new tombstones."""
    tombstones = Feature.objects.filter(space=layout.space, sequence__gt=layout.sequence, data__isnull=True)
    # A picture that came back from the trash has a tombstone of its own past.
    existing = Image.objects.filter(pk=OuterRef("image_id"))
    return list(tombstones.exclude(Exists(existing)).values_list("image_id", flat=True))


def etag(layout: Layout) -> str:
    """Changes whenever the current positions may have changed."""
    token = Space.objects.filter(pk=layout.space).values_list("token", flat=True).first() or ""
    return f'"{layout.pk}-{layout.revision}-{token}"'


def browser_bytes(layout: Layout) -> bytes:
    """The current positions as codec.py encodes them for browsers; encoded once for each change."""
    key = f"atlas-places-{etag(layout)[1:-1]}"
    data: bytes | None = cache.get(key)
    if data is None:
        now = current(layout)
        data = for_browsers(now.positions, now.slots)
        cache.set(key, data, CACHE_SECONDS)
    return data
