"""How each space stands: what can be found, what is still to be done, and how old its snapshot is."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Sum
from django.db.models.functions import Length

from search.features import backlog, store, versions
from search.methods import METHODS, get_method
from search.models import Feature, Snapshot, Space
from search.snapshots.build import index_name

NO_MODEL = "no model"


@dataclass(frozen=True, slots=True)
class Status:
    """One space. ``count``: what searches find; ``bytes``: features.

    ``lag``: changes since the snapshot; ``tail``: what of them is still to be seen, for each search to compare.

    ``version`` answers, "no model" where none can; ``coming`` is being made to take its place, see versions.py.
    ``problem``: why the space cannot answer.
    """

    space: str
    method: str
    version: str
    index: str
    count: int
    pending: int
    tail: int
    lag: int
    snapshot: Snapshot | None
    bytes: int
    coming: str = ""
    problem: str = ""


def statuses() -> list[Status]:
    """Every space of the table, in its order."""
    rows = Space.objects.select_related("snapshot").in_bulk(list(METHODS))
    return [status(rows.get(name) or Space(name=name)) for name in METHODS]


def status(space: Space) -> Status:
    """One space, by its row."""
    method, wanted = get_method(space.name), [one.version for one in versions.wanted(space)]
    version = wanted[0] if wanted else ""
    return Status(
        space=space.name,
        method=method.name,
        version=version or NO_MODEL,
        index=index_name(space.name),
        count=store.current(space.name).count(),
        pending=backlog.pending(space.name),
        tail=tail(space),
        lag=space.head - (space.snapshot.sequence if space.snapshot else 0),
        snapshot=space.snapshot,
        bytes=stored_bytes(space.name),
        coming=", ".join(wanted[1:]),
        problem=versions.problem(space.name) or "",
    )


def tail(space: Space) -> int:
    """Changes that the snapshot in use does not hold."""
    known, version = (space.snapshot.sequence, space.snapshot.version) if space.snapshot else (0, "")
    later = Feature.objects.filter(space=space.name, sequence__gt=known)
    return (later.filter(version=version) if version else later).count()


def stored_bytes(space: str) -> int:
    """Size of a space's stored features, of every version."""
    found = Feature.objects.filter(space=space).aggregate(bytes=Sum(Length("data")))
    return int(found["bytes"] or 0)
