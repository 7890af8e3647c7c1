"""Makes maps: from features to places, names, pages and a picture of the whole; and keeps them up to date."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from django.db import transaction
from django.db.models import F
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from search.collection import existing, images
from search.features import backlog, changelog, store, versions
from search.jobs.progress import JobProgress
from search.map import cluster_labels, poster, tiles
from search.map.codec import RECORD, About, Records, records, unpack
from search.map.layout import NEIGHBOURS, STEPS, Places, Rows, lay_out, morton_order, place, principal_axes
from search.map.models import Layout, Point
from search.map.positions import serving, shown
from search.models import Space
from search.retrieval.live import live

CHUNK = 5_000  # features in memory at once
Keys = NDArray[np.int64]


def make(layout: Layout) -> None:
    """Bring a claimed layout from wherever it stands to its end. The caller holds the space's lock.

    Raises JobClosed soon after the layout was cancelled.
    """
    if Layout.objects.filter(pk=layout.pk, places=None).exists():
        _lay_out(layout)
    layout.note(stage="naming groups")
    found = shown(layout)
    places = np.column_stack([found.records["x"], found.records["y"]])
    Layout.objects.filter(pk=layout.pk).update(labels=cluster_labels.labels(found.records["id"], places))
    tiles.draw(layout, progress=JobProgress(layout))
    layout.note(stage="drawing the whole")
    poster.draw_overview(layout)
    layout.finish()


def _lay_out(layout: Layout) -> None:
    head = versions.row_of(layout.space).head
    layout.note(stage="reading features", done=0, total=STEPS)
    keys, rows = reduced(layout.space)
    old = _old_places(layout.space, keys)
    layout.note(stage="laying out")
    progress = JobProgress(layout)
    places = lay_out(rows, old, step=lambda done: progress.note(done=done))
    order = morton_order(places)
    made = described(keys[order], places[order])
    layout.count, layout.sequence = len(made), head
    Layout.objects.filter(pk=layout.pk).update(places=made.tobytes(), count=len(made), sequence=head)


def reduced(space: str) -> tuple[Keys, Rows]:
    """Ids ``(n,)`` and principal components ``(n, <= 50)`` of all pictures of a space; read in chunks, twice."""
    mean, axes = principal_axes(rows for _, rows in _chunks(space))
    keys: list[Keys] = [np.zeros(0, np.int64)]
    parts: list[Rows] = [np.zeros((0, axes.shape[1]), np.float32)]
    for ids, rows in _chunks(space):
        keys.append(ids)
        parts.append(np.asarray((rows - mean) @ axes, np.float32))
    return np.concatenate(keys), np.concatenate(parts)


def _chunks(space: str) -> Iterator[tuple[Keys, Rows]]:
    """Ids and float32 rows in the order of the ids."""
    method = versions.serving(space)
    last = -1
    while True:
        found = store.current(space).filter(image_id__gt=last).order_by("image_id")
        chunk = list(found.values_list("image_id", "data")[:CHUNK])
        if not chunk:
            return
        last = chunk[-1][0]
        fit = {key: bytes(data) for key, data in chunk if data is not None and method.fits(bytes(data))}
        if fit:
            yield np.fromiter(fit, np.int64, len(fit)), method.rows(list(fit.values())).astype(np.float32)


def _old_places(space: str, keys: Keys) -> Places | None:
    """Where the map that serves has these pictures, NaN where it has not; None without a map."""
    before = serving(space)
    if before is None:
        return None
    on_map = shown(before).records
    old = np.full((len(keys), 2), np.nan)
    _, here, there = np.intersect1d(keys, on_map["id"], return_indices=True)
    old[here] = np.column_stack([on_map["x"][there], on_map["y"][there]])
    return old


def described(keys: Keys, places: Places) -> Records:
    """Records of those pictures that are there, in the order of ``keys``."""
    about: dict[int, About] = {}
    for start in range(0, len(keys), CHUNK):
        part = images().filter(pk__in=keys[start : start + CHUNK].tolist())
        about |= {row[0]: row for row in part.values_list("pk", "color", "width", "height")}
    there = np.array([key in about for key in keys.tolist()], bool)
    return records([about[key] for key in keys[there].tolist()], places[there])


def catch_up(layout: Layout) -> None:
    """Place what is new among its neighbours, take away what is gone; nothing else moves. The caller is alone."""
    head = versions.row_of(layout.space).head
    left: set[int] = set()
    if head > layout.sequence:
        arrived, left = _changed(layout, head)
        _apply(layout, arrived, left, head)
    fresh = Layout.objects.defer("places").get(pk=layout.pk)
    # While many arrive, a picture of the whole for every few of them would be wasted; of those that went none is kept.
    if tiles.draw(fresh) and (left or not backlog.pending(layout.space)):
        poster.draw_overview(fresh)


def _changed(layout: Layout, head: int) -> tuple[list[tuple[int, bytes]], set[int]]:
    """Pictures that came (with their features) and that went since the layout's sequence."""
    method = versions.serving(layout.space)
    last: dict[int, bytes | None] = {}
    for chunk in changelog.changes(layout.space, method.version, layout.sequence, head):
        last |= dict(chunk)
    there = existing(last)
    arrived = [(key, data) for key, data in last.items() if data is not None and key in there and method.fits(data)]
    return arrived, set(last) - there


def _apply(layout: Layout, arrived: list[tuple[int, bytes]], left: set[int], head: int) -> None:
    slots = known_slots(layout)
    new = [(key, data) for key, data in arrived if key not in slots]
    placed = _placed(layout, new)
    first = max(slots.values(), default=-1) + 1
    gone = [key for key in left if key in slots]
    back = [key for key, _ in arrived if key in slots]
    with transaction.atomic():
        Point.objects.bulk_create(
            [Point(layout=layout, image_id=key, slot=slots[key], place=b"", gone=True) for key in gone],
            update_conflicts=True,
            unique_fields=["layout", "image_id"],
            update_fields=["gone"],
        )
        Point.objects.filter(layout=layout, image_id__in=back).update(gone=False)
        Point.objects.bulk_create(
            [
                Point(layout=layout, image_id=int(one["id"]), slot=first + i, place=one.tobytes())
                for i, one in enumerate(placed)
            ],
            ignore_conflicts=True,
        )
        Layout.objects.filter(pk=layout.pk).update(sequence=head, revision=F("revision") + 1)


def known_slots(layout: Layout) -> dict[int, int]:
    """Slot of every picture that the map ever had."""
    base = unpack(Layout.objects.values_list("places", flat=True).get(pk=layout.pk))
    slots = {key: slot for slot, key in enumerate(base["id"].tolist())}
    return slots | dict(layout.points.values_list("image_id", "slot"))


def _placed(layout: Layout, new: list[tuple[int, bytes]]) -> Records:
    """Records of new pictures, each by its neighbours among those that have a place, the ones before it included."""
    if not new:
        return np.zeros(0, RECORD)
    now = shown(layout).records
    order = np.argsort(now["id"])
    ids, places = now["id"][order], np.column_stack([now["x"], now["y"]])[order].astype(float)
    rows = versions.serving(layout.space).rows([data for _, data in new])
    view = live(layout.space).view()
    found: list[Places] = []
    for row in rows:
        near = view.search(row, NEIGHBOURS, ids)
        neighbours = places[np.searchsorted(ids, near.keys)]
        taken = np.concatenate([places, *[one[np.newaxis] for one in found]])
        spot = place(neighbours, near.distances, cKDTree(taken)) if len(neighbours) else np.zeros(2)
        found.append(spot)
    return described(np.array([key for key, _ in new], np.int64), np.array(found))


def count_of(space: str) -> int:
    """Pictures that a new map would have."""
    return store.current(space).count() if Space.objects.filter(pk=space).exists() else 0
