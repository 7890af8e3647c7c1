"""Which version of a space serves, and which one is being made to take its place.

A space's features are of a version: that of its method, with its model. When another one is configured, workers extract
it as well, of old and new pictures alike, while the serving one answers. Once it has all that the serving one has, its
index is built and one UPDATE lets it serve. The old one is kept for a rollback.

A space is looked up once, where a request, a task or a command begins; what is below takes the ``SpaceState``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from search.exceptions import SpaceUnavailable
from search.methods import get_method
from search.methods.base import Method
from search.models import Position, Snapshot, Space
from search.types import Message


@dataclass(frozen=True)
class SpaceState:
    """A space at one moment: the values of its row, and its method in the versions that matter.

    ``version`` is that of the row, "" until the first snapshot is built; ``refused`` was rolled back. Methods are made
    at their first use and then stay the same; a broken one raises only where it is used. ``snapshot`` is the row of
    the one in use, None if there is none, or if it was not read because only its id is needed.
    """

    name: str
    position: Position
    version: str
    refused: str
    snapshot_id: int | None
    snapshot: Snapshot | None

    @cached_property
    def serving(self) -> Method:
        """The method in the version that answers searches. Raises SpaceUnavailable.

        The configured one, complete or not, where the row's version cannot be computed any more.
        """
        if self.version and (stored := self._configured.at(self.version)):
            return stored
        return self._configured.at(self._configured.version) or self._configured

    @cached_property
    def coming(self) -> Method | None:
        """The method in the version that is to take the place of the serving one, if there is one."""
        if self.problem:
            return None
        try:
            configured = self._configured.version
        except SpaceUnavailable:  # the serving version has its model, the configured one has not
            return None
        return None if configured in (self.serving.version, self.refused) else self._configured

    @property
    def targets(self) -> list[Method]:
        """The versions that pictures should have features of, the serving one first; none without a model."""
        if self.problem:
            return []
        return [self.serving, self.coming] if self.coming else [self.serving]

    @property
    def problem(self) -> Message | None:
        """Why no search of this space can be answered, with the cure; None if it can."""
        try:
            _ = self.serving
        except SpaceUnavailable as error:
            return error.message
        return None

    @cached_property
    def _configured(self) -> Method:
        # Once: while an encoder is replaced, version and vectors must be of the same one.
        return get_method(self.name)


def state_of(name: str) -> SpaceState:
    """The state of one space; see ``states_of``."""
    return states_of([name])[0]


def states_of(names: Iterable[str], *, snapshots: bool = True) -> list[SpaceState]:
    """The states of these spaces, in their order, by one query. A space without a row is empty.

    Searches do without the rows of the ``snapshots``, whose join would take a tenth of their time.
    """
    names = list(names)
    rows = (Space.objects.select_related("snapshot") if snapshots else Space.objects).in_bulk(names)
    return [state_of_row(rows.get(name) or Space(name=name), snapshot=snapshots) for name in names]


def state_of_row(row: Space, *, snapshot: bool = True) -> SpaceState:
    """The state that a row describes."""
    read = row.snapshot if snapshot else None
    return SpaceState(row.name, row.position, row.version, row.refused, row.snapshot_id, read)


def accept(name: str) -> None:
    """Let a version that was rolled back come again."""
    Space.objects.filter(pk=name).update(refused="")
