"""Ask for maps, cancel them and keep them up to date. Workers do the work, one at a time for each space."""

from __future__ import annotations

import logging
from functools import partial

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q, QuerySet

from search.exceptions import JobClosed, SearchError, UnknownSpace, message_of
from search.features import backlog
from search.features.versions import SpaceState, state_of, states_of
from search.jobs.progress import closing
from search.jobs.queue import send
from search.locks import exclusive
from search.map import build, tiles, updates
from search.map.models import Layout
from search.map.positions import serving
from search.methods import METHODS, get_method, label_of
from search.types import Message

log = logging.getLogger(__name__)

FEWEST = 3  # pictures that make a map
GROWTH = 0.5  # the share of pictures added later that calls for a new map
RETAINED = 2  # maps that are done: the one that serves, and one for browsers that still show it
MAX_TRIES = 3  # a map that kills its worker must not do so for ever


def mappable() -> list[str]:
    """Spaces that can have a map now: Euclidean distances, and a model if one is needed. The preferred one first."""
    return [state.name for state in _mappable()]


def _mappable() -> list[SpaceState]:
    vector_spaces = states_of(space for space in METHODS if get_method(space).is_vector_space)
    ready = [state for state in vector_spaces if not state.problem]
    return sorted(ready, key=lambda state: -get_method(state.name).map_priority)


def mapped() -> list[Layout]:
    """The maps that serve, the preferred space's first."""
    return [layout for space in mappable() if (layout := serving(space))]


def request_layout(*, space: str, user: User | None = None) -> Layout:
    """Ask for a new map of a space; the one that is being made already, if there is one. Returns at once.

    Raises UnknownSpace, or SearchError if the space cannot have a map.
    """
    if space not in METHODS:
        raise UnknownSpace("unknown_method", name=space, choices=", ".join(mappable()))
    if space not in mappable():
        reason = state_of(space).problem or message_of("only_neighbours")
        raise SearchError("method_without_map", method=Message(space, label_of(space)), reason=reason)
    with transaction.atomic():
        layout = Layout.objects.filter(space=space, state__in=Layout.UNFINISHED).first()
        layout = layout or Layout.objects.create(space=space, requested_by=user)
        transaction.on_commit(partial(send, "search.map.tasks.advance", layout.pk))
    return layout


def lock_of(space: str) -> str:
    """Name of the lock that whoever works on a space's maps holds."""
    return f"map-{space}"


def advance(layout_id: int) -> None:
    """Make a map, or resume where a killed worker left it; an error closes it with the reason.

    Safe to call at any time, by several at once.
    """
    layout = Layout.objects.defer("positions").filter(pk=layout_id, state__in=Layout.UNFINISHED).first()
    if layout is None:
        return
    with exclusive(lock_of(layout.space)) as free:
        if free and _claimed(layout):
            with closing(layout):
                _make(layout)


def _make(layout: Layout) -> None:
    try:
        build.make(layout)
    except JobClosed:
        discard(layout)
        raise
    prune(layout.space)


def _claimed(layout: Layout) -> bool:
    """Whether it is still to be done; counts the try before the work, so that one that kills counts too."""
    if layout.tries >= MAX_TRIES:
        layout.fail(f"Its worker died {MAX_TRIES} times. Is there enough memory?")
        return False
    return layout.claim(resume=True, tries=F("tries") + 1)


def cancel(layout: Layout) -> bool:
    """Stop making a map; False if it has ended already. The map that serves goes on serving."""
    if not layout.cancel():
        return False
    discard_cancelled(layout.space)
    return True


def discard_cancelled(space: str) -> None:
    """Remove what cancelled maps have left; a worker that is still on one does so itself when it stops."""
    with exclusive(lock_of(space)) as free:
        for layout in _cancelled().filter(space=space) if free else ():
            discard(layout)


def _cancelled() -> QuerySet[Layout]:
    """Cancelled maps of which something is left."""
    left = Q(tiles__isnull=False) | Q(positions__isnull=False) | ~Q(overview="")
    return Layout.objects.defer("positions").filter(left, state=Layout.State.CANCELLED).distinct()


def catch_up(space: str) -> None:
    """Bring the map that serves up to date with its space. Safe to call at any time, by several at once."""
    with exclusive(lock_of(space)) as free:
        layout = serving(space) if free else None
        if layout:
            updates.catch_up(layout)


def sweep() -> None:
    """Find what is to be done, and ask for it: maps that stand still or are due, pictures without a position."""
    for layout_id in Layout.objects.filter(state__in=Layout.UNFINISHED).values_list("pk", flat=True):
        send("search.map.tasks.advance", layout_id)
    for space in _cancelled().values_list("space", flat=True):
        discard_cancelled(space)
    ready = _mappable()
    for state in ready:
        layout = serving(state.name)
        if layout and (layout.sequence < state.position.sequence or not tiles.complete(layout)):
            send("search.map.tasks.catch_up", state.name)
        if due(state, layout, preferred=state is ready[0]):
            request_layout(space=state.name)


def due(state: SpaceState, layout: Layout | None, *, preferred: bool) -> bool:
    """Whether a space should get a new map by itself: the preferred one its first, any other when it has grown much.

    After a map that failed or was cancelled the next one is for people to ask for.
    """
    last = Layout.objects.filter(space=state.name).defer("positions").first()
    if last and last.state != Layout.State.DONE:
        return False
    if layout is None:
        return preferred and build.count_of(state) >= FEWEST and not backlog.pending(state)
    changed = layout.points.count()
    return changed > GROWTH * max(layout.count, FEWEST) and not backlog.pending(state)


def prune(space: str) -> None:
    """Remove the maps that served before, but for those retained, and the rows of those that failed."""
    done = Layout.objects.filter(space=space, state=Layout.State.DONE).values_list("pk", flat=True)[:RETAINED]
    for layout in Layout.objects.defer("positions").filter(space=space).exclude(pk__in=list(done)):
        if layout.finished:
            remove(layout)


def discard(layout: Layout) -> None:
    """Empty a map that was cancelled: only the row stays, which says so."""
    tiles.remove_all(layout)
    Layout.objects.filter(pk=layout.pk).update(positions=None, labels=[], overview="")


def remove(layout: Layout) -> None:
    """Delete a map with its files."""
    tiles.remove_all(layout)
    layout.delete()
