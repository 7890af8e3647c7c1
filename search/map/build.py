"""Makes a map: features -> positions, cluster labels, tiles and a picture of the whole map."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from search.collection import images
from search.features import store
from search.features.versions import SpaceState, state_of
from search.jobs.progress import JobProgress
from search.map import cluster_labels, poster, tiles
from search.map.codec import ImageFacts, Positions, centres_of, positions_of
from search.map.layout import STEPS, Centres, Rows, lay_out, morton_order, principal_axes
from search.map.models import Layout
from search.map.positions import current, serving
from search.types import Keys

CHUNK = 5_000  # features in memory at once


def make(layout: Layout) -> None:
    """Bring a claimed layout from wherever it stands to its end. The caller holds the space's lock.

    Raises JobClosed soon after the layout was cancelled.
    """
    # A worker that was killed later than this leaves the positions, which took most of the time.
    if Layout.objects.filter(pk=layout.pk, positions=None).exists():
        _compute_positions(layout)
    layout.note(stage="naming groups")
    positions = current(layout).positions
    labels = cluster_labels.labels(positions["id"], centres_of(positions))
    Layout.objects.filter(pk=layout.pk).update(labels=labels)
    tiles.draw(layout, progress=JobProgress(layout))
    layout.note(stage="drawing the whole")
    poster.draw_overview(layout)
    layout.finish()


def _compute_positions(layout: Layout) -> None:
    state = state_of(layout.space)
    layout.note(stage="reading features", done=0, total=STEPS)
    keys, rows = principal_components(state)
    previous = _previous_centres(layout.space, keys)
    layout.note(stage="laying out")
    progress = JobProgress(layout)
    centres = lay_out(rows, previous, step=lambda done: progress.note(done=done))
    # Slots follow the Z curve, so that a tile shows a neighbourhood of the map.
    order = morton_order(centres)
    positions = described(keys[order], centres[order])
    layout.count, layout.sequence = len(positions), state.position.sequence
    made = {"positions": positions.tobytes(), "count": layout.count, "sequence": layout.sequence}
    Layout.objects.filter(pk=layout.pk).update(**made)


def principal_components(state: SpaceState) -> tuple[Keys, Rows]:
    """Ids ``(n,)`` and principal components ``(n, <= 50)`` of all pictures of a space; read in chunks, twice."""
    mean, axes = principal_axes(rows for _, rows in _chunks(state))
    keys: list[Keys] = [np.zeros(0, np.int64)]
    parts: list[Rows] = [np.zeros((0, axes.shape[1]), np.float32)]
    for ids, rows in _chunks(state):
        keys.append(ids)
        parts.append(np.asarray((rows - mean) @ axes, np.float32))
    return np.concatenate(keys), np.concatenate(parts)


def _chunks(state: SpaceState) -> Iterator[tuple[Keys, Rows]]:
    """Ids and float32 rows in the order of the ids."""
    method = state.serving
    last = -1
    while True:
        features = store.current(state).filter(image_id__gt=last).order_by("image_id")
        chunk = list(features.values_list("image_id", "data")[:CHUNK])
        if not chunk:
            return
        last = chunk[-1][0]
        fit = {key: bytes(data) for key, data in chunk if data is not None and method.fits(bytes(data))}
        if fit:
            yield np.fromiter(fit, np.int64, len(fit)), method.rows(list(fit.values())).astype(np.float32)


def _previous_centres(space: str, keys: Keys) -> Centres | None:
    """Centres ``(n, 2)`` of these pictures on the map that serves, NaN where it has none; None without a map."""
    before = serving(space)
    if before is None:
        return None
    positions = current(before).positions
    centres = np.full((len(keys), 2), np.nan)
    _, rows, on_map = np.intersect1d(keys, positions["id"], return_indices=True)
    centres[rows] = centres_of(positions)[on_map]
    return centres


def described(keys: Keys, centres: Centres) -> Positions:
    """Positions of those pictures that still exist, in the order of ``keys``."""
    facts: dict[int, ImageFacts] = {}
    for start in range(0, len(keys), CHUNK):
        part = images().filter(pk__in=keys[start : start + CHUNK].tolist())
        facts |= {row[0]: row for row in part.values_list("pk", "color", "width", "height")}
    exists = np.array([key in facts for key in keys.tolist()], bool)
    return positions_of([facts[key] for key in keys[exists].tolist()], centres[exists])


def count_of(state: SpaceState) -> int:
    """Pictures that a new map would have."""
    return store.current(state).count()
