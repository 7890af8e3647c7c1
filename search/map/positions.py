"""What a map shows now: the places that were laid out, those added later, less the pictures that are gone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from django.core.cache import cache
from django.db.models import Exists, OuterRef
from numpy.typing import NDArray

from search.collection import Image
from search.map.codec import RECORD, Records, for_browsers, unpack
from search.map.models import Layout, Point
from search.models import Feature, Space

KEPT = 600  # seconds that the bytes for browsers stay in the cache


@dataclass(frozen=True, slots=True)
class Shown:
    """Records in the order of their ``slots``; a slot is a picture's number on the pages of small pictures."""

    records: Records
    slots: NDArray[np.int64]


def serving(space: str) -> Layout | None:
    """The map of a space that visitors see."""
    return Layout.objects.defer("places").filter(space=space, state=Layout.State.DONE).first()


def shown(layout: Layout) -> Shown:
    """All pictures of a map that are there now; one that was deleted is not, from its deletion on."""
    base = unpack(Layout.objects.values_list("places", flat=True).get(pk=layout.pk))
    changes = list(Point.objects.filter(layout=layout).order_by("slot").values_list("slot", "place", "gone"))
    later = [unpack(place) for slot, place, _ in changes if slot >= len(base)]
    records = np.concatenate([base, *later]) if later else base
    slots = np.concatenate([np.arange(len(base)), [slot for slot, _, _ in changes if slot >= len(base)]]).astype(int)
    hidden = {slot for slot, _, gone in changes if gone}
    keep = ~np.isin(slots, list(hidden)) & ~np.isin(records["id"], deleted(layout))
    return Shown(records[keep], slots[keep])


def deleted(layout: Layout) -> list[int]:
    """Pictures that went since the map was last brought up to date; tombstones tell, so few rows are read."""
    graves = Feature.objects.filter(space=layout.space, sequence__gt=layout.sequence, data__isnull=True)
    there = Image.objects.filter(pk=OuterRef("image_id"))
    return list(graves.exclude(Exists(there)).values_list("image_id", flat=True))


def etag(layout: Layout) -> str:
    """Changes whenever what is shown may have changed."""
    token = Space.objects.filter(pk=layout.space).values_list("token", flat=True).first() or ""
    return f'"{layout.pk}-{layout.revision}-{token}"'


def browser_bytes(layout: Layout) -> bytes:
    """The map as browsers get it; made once for each change."""
    key = f"atlas-places-{etag(layout)[1:-1]}"
    data: bytes | None = cache.get(key)
    if data is None:
        now = shown(layout)
        data = for_browsers(now.records, now.slots)
        cache.set(key, data, KEPT)
    return data


def blank() -> Records:
    return np.zeros(0, RECORD)
