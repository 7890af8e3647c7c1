"""Pictures that are extracted at once, and what a fresh process finds first."""

from __future__ import annotations

from gallery.services import add_image
from search.features.extraction import extract
from search.features.versions import state_of
from search.indexes.base import Index
from search.models import Snapshot
from search.retrieval.engine import search
from search.retrieval.live import forget
from search.retrieval.queries import query_by_pixels
from search.snapshots.loading import LoadedIndex, load, newest_index
from tests.support.images import encode, scene

COUNT = 12  # pictures of the fixture ``ids``


def add(seed: int) -> int:
    image = add_image(data=encode(scene(seed, (120, 90)), "PNG")).image
    extract([image.pk])
    return image.pk


def first(seed: int, space: str) -> tuple[int, dict[str, str]]:
    forget()
    result = search(query_by_pixels(scene(seed, (120, 90)), space), method=space)
    return result.hits[0].key, dict(result.skipped)


def loaded(snapshot: Snapshot) -> Index:
    """The index of a snapshot of the version that serves now."""
    state = state_of(snapshot.space_id)
    return load(snapshot, state, state.serving)


def newest(space: str) -> LoadedIndex:
    """What a process that starts now would load."""
    state = state_of(space)
    return newest_index(state, state.serving)
