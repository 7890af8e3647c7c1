"""How each space stands: what can be found, what is still to be done, and how old its snapshot is."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Sum
from django.db.models.functions import Length

from search import features
from search.methods import METHODS, get_method
from search.models import Feature, Snapshot, Space
from search.snapshots import index_name


@dataclass(frozen=True, slots=True)
class Status:
    """One space. ``count``: what searches find; ``tail``: changes since the snapshot; ``bytes``: features."""

    space: str
    method: str
    version: str
    index: str
    count: int
    pending: int
    tail: int
    snapshot: Snapshot | None
    bytes: int


def statuses() -> list[Status]:
    """Every space of the table, in its order."""
    rows = Space.objects.select_related("snapshot").in_bulk(list(METHODS))
    return [status(rows.get(name) or Space(name=name)) for name in METHODS]


def status(space: Space) -> Status:
    """One space, by its row."""
    method = get_method(space.name)
    return Status(
        space=space.name,
        method=method.name,
        version=method.version,
        index=index_name(space.name),
        count=features.current(space.name).count(),
        pending=features.pending(space.name),
        tail=tail(space),
        snapshot=space.snapshot,
        bytes=stored_bytes(space.name),
    )


def tail(space: Space) -> int:
    """Changes that the snapshot in use does not hold."""
    known = space.snapshot.sequence if space.snapshot else 0
    return Feature.objects.filter(space=space.name, sequence__gt=known).count()


def stored_bytes(space: str) -> int:
    """Size of a space's stored features, of every version."""
    found = Feature.objects.filter(space=space).aggregate(bytes=Sum(Length("data")))
    return int(found["bytes"] or 0)
