"""Keeps the map that serves up to date: new pictures get a position, deleted ones go, and nothing else moves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from django.db import transaction
from django.db.models import F
from scipy.spatial import cKDTree

from search.collection import existing
from search.features import backlog, changelog
from search.features.versions import SpaceState, state_of
from search.map import poster, tiles
from search.map.build import described
from search.map.codec import POSITION, Positions, centres_of, unpack
from search.map.layout import NEIGHBOURS, Centres, centre_among
from search.map.models import Layout, Point
from search.map.positions import current
from search.retrieval.live import view_of

NewFeature = tuple[int, bytes]  # id of a picture, its feature


def catch_up(layout: Layout) -> None:
    """Bring a map up to its space's head. The caller holds the space's lock."""
    state = state_of(layout.space)
    removed: set[int] = set()
    if state.position.sequence > layout.sequence:
        added, removed = _changed(layout, state)
        _apply(layout, added, removed, state)
    layout = Layout.objects.defer("positions").get(pk=layout.pk)
    # While many arrive, it would be wasteful to draw the whole map for every few of them. A deleted picture has to go.
    if tiles.draw(layout) and (removed or not backlog.pending(state)):
        poster.draw_overview(layout)


def _changed(layout: Layout, state: SpaceState) -> tuple[list[NewFeature], set[int]]:
    """Features of the pictures that were added, and ids of those deleted, since the layout's sequence."""
    method = state.serving
    last: dict[int, bytes | None] = {}
    for chunk in changelog.changes(state.name, method.version, layout.sequence, state.position.sequence):
        last |= dict(chunk)
    exist = existing(last)
    added = [(key, data) for key, data in last.items() if data is not None and key in exist and method.fits(data)]
    return added, set(last) - exist


def _apply(layout: Layout, added: Sequence[NewFeature], removed: set[int], state: SpaceState) -> None:
    """Write the changes in one transaction. A picture that comes back from the trash takes its old slot again."""
    slots = known_slots(layout)
    positions = _new_positions(layout, [(key, data) for key, data in added if key not in slots], state)
    with transaction.atomic():
        _mark_gone(layout, {key: slots[key] for key in removed if key in slots})
        restored = [key for key, _ in added if key in slots]
        Point.objects.filter(layout=layout, image_id__in=restored).update(gone=False)
        _append(layout, positions, max(slots.values(), default=-1) + 1)
        Layout.objects.filter(pk=layout.pk).update(sequence=state.position.sequence, revision=F("revision") + 1)


def known_slots(layout: Layout) -> dict[int, int]:
    """Slot of every picture that the map ever had."""
    base = unpack(Layout.objects.values_list("positions", flat=True).get(pk=layout.pk))
    slots = {key: slot for slot, key in enumerate(base["id"].tolist())}
    return slots | dict(layout.points.values_list("image_id", "slot"))


def _mark_gone(layout: Layout, slots: Mapping[int, int]) -> None:
    Point.objects.bulk_create(
        [Point(layout=layout, image_id=key, slot=slot, position=b"", gone=True) for key, slot in slots.items()],
        update_conflicts=True,
        unique_fields=["layout", "image_id"],
        update_fields=["gone"],
    )


def _append(layout: Layout, positions: Iterable[np.void], first_slot: int) -> None:
    points = [
        Point(layout=layout, image_id=int(position["id"]), slot=slot, position=position.tobytes())
        for slot, position in enumerate(positions, first_slot)
    ]
    Point.objects.bulk_create(points, ignore_conflicts=True)


def _new_positions(layout: Layout, new: Sequence[NewFeature], state: SpaceState) -> Positions:
    """Each new picture among its nearest neighbours on the map, the new ones before it included."""
    if not new:
        return np.zeros(0, POSITION)
    positions = current(layout).positions
    positions = positions[np.argsort(positions["id"])]
    ids, taken = positions["id"], centres_of(positions).astype(float)
    rows = state.serving.rows([data for _, data in new])
    view = view_of(state)
    added: list[Centres] = []
    for row in rows:
        nearest = view.search(row, NEIGHBOURS, ids)
        neighbours = taken[np.searchsorted(ids, nearest.keys)]
        tree = cKDTree(np.concatenate([taken, *(centre[np.newaxis] for centre in added)]))
        added.append(centre_among(neighbours, nearest.distances, tree) if len(neighbours) else np.zeros(2))
    return described(np.array([key for key, _ in new], np.int64), np.array(added))
