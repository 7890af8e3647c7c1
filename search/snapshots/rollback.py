"""Back to a snapshot before the one in use."""

from __future__ import annotations

import logging

from django.db import transaction
from django.db.models import Q

from search.exceptions import SearchError, SnapshotDamaged, SpaceUnavailable
from search.features.versions import SpaceState, state_of
from search.locks import exclusive
from search.methods import get_method
from search.models import Snapshot, Space
from search.snapshots.loading import load
from search.snapshots.shared import shared_kinds

log = logging.getLogger(__name__)


def rollback(space: str, by: str, *, version: bool = False) -> Snapshot:
    """Let the snapshot before the one in use serve again, or (``version``) the newest of the version before.

    The one in use is kept, with ``by`` as the reason why it is not used; a version that was left does not come again
    by itself. Raises SearchError if none is left to serve.
    """
    with exclusive(space) as free:
        # A build that is running began with the snapshot that is to go, and would let it serve again.
        if not free:
            raise SearchError("index_busy", space=space)
        state = state_of(space)
        current = state.snapshot
        before = _previous(state, current, version) if current else None
        if current is None or before is None:
            raise SearchError("no_earlier_snapshot", space=space)
        refused = state.version if before.version != state.version else state.refused
        with transaction.atomic():
            Snapshot.objects.filter(pk=current.pk).update(problem=f"rolled back by {by}")
            Space.objects.filter(pk=space).update(snapshot=before, version=before.version, refused=refused)
        return before


def _previous(state: SpaceState, current: Snapshot, version: bool) -> Snapshot | None:
    """The newest snapshot before this one that loads, of another version if ``version``."""
    earlier = Snapshot.objects.filter(space=state.name, pk__lt=current.pk)
    configured = get_method(state.name)
    # Snapshots of shared rows differ in their version only.
    alike = Q(version=current.version) & (Q() if version else Q(index__in=shared_kinds()))
    for snapshot in earlier.exclude(alike):
        method = configured.at(snapshot.version)
        # Without its model, pictures that came since could not be extracted in this version.
        if method is None:
            log.warning("No rollback to %s: its version cannot be computed any more", snapshot)
            continue
        try:
            load(snapshot, state, method)
        except (SnapshotDamaged, SpaceUnavailable) as error:
            log.warning("No rollback to %s: %s", snapshot, error)
        else:
            return snapshot
    return None
