"""How each space stands: what can be found, what is still to be done, and how old its snapshot is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Sum
from django.db.models.functions import Length

from search.features.backlog import pending
from search.features.changelog import changed_rows
from search.features.store import current, feature_rows
from search.features.versions import SpaceState, states_of
from search.methods import METHODS, get_method
from search.snapshots.loading import index_name, unfit

NO_MODEL = "no model"


@dataclass(frozen=True, slots=True)
class SnapshotStatus:
    """The snapshot in use; ``problem`` says why it cannot be used, "" if it can."""

    sequence: int
    count: int
    bytes: int
    created_at: datetime
    problem: str


@dataclass(frozen=True, slots=True)
class Status:
    """One space. ``count``: pictures that searches find; ``bytes``: size of the features.

    ``lag``: changes since the snapshot; ``tail``: those of them that every search compares one by one.

    ``version`` serves, "no model" where none can; ``coming`` is being made to take its place, see versions.py.
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
    snapshot: SnapshotStatus | None
    bytes: int
    coming: str = ""
    problem: str = ""


def statuses() -> list[Status]:
    """Every space of the table, in its order."""
    return [status(state) for state in states_of(METHODS)]


def status(state: SpaceState) -> Status:
    """How one space stands."""
    return Status(
        space=state.name,
        method=get_method(state.name).name,
        version=NO_MODEL if state.problem else state.serving.version or NO_MODEL,
        index=index_name(state.name),
        count=current(state).count(),
        pending=pending(state),
        tail=tail(state),
        lag=state.position.sequence - (state.snapshot.sequence if state.snapshot else 0),
        snapshot=_snapshot_status(state),
        bytes=stored_bytes(state.name),
        coming=state.coming.version if state.coming else "",
        problem=state.problem or "",
    )


def _snapshot_status(state: SpaceState) -> SnapshotStatus | None:
    if (snapshot := state.snapshot) is None:
        return None
    problem = snapshot_problem(state)
    return SnapshotStatus(snapshot.sequence, snapshot.count, snapshot.bytes, snapshot.created_at, problem)


def snapshot_problem(state: SpaceState) -> str:
    """Why the snapshot in use cannot serve now; "" if it can, or if there is none."""
    if state.snapshot is None:
        return ""
    return state.snapshot.problem or state.problem or unfit(state.snapshot, state.serving)


def tail(state: SpaceState) -> int:
    """Features that the snapshot in use does not hold: of its version, or of all versions where there is none."""
    if state.snapshot is None:
        return changed_rows(state.name, 0).count()
    return changed_rows(state.name, state.snapshot.sequence, version=state.snapshot.version).count()


def stored_bytes(space: str) -> int:
    """Size of a space's stored features, of every version."""
    total = feature_rows(space).aggregate(bytes=Sum(Length("data")))["bytes"]
    return int(total or 0)
