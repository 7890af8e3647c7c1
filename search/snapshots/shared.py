"""Indexes whose rows all processes share: how far the rows may be ahead of a snapshot, and of which changelog they are.

A worker notes with the rows up to which position it is about to change them. Where the database does not know that
position, it was restored from a backup, and the rows have changes that it never had: they are built anew.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from search.exceptions import SpaceUnavailable
from search.indexes import INDEXES, index_class
from search.indexes.base import Index, SharedIndex
from search.models import Position

log = logging.getLogger(__name__)


def shared_kinds() -> list[str]:
    """Names of the indexes whose rows are on a server."""
    return [name for name in INDEXES if issubclass(index_class(name), SharedIndex)]


def is_shared(index: Index) -> bool:
    """Whether the rows of an index are on a server."""
    return isinstance(index, SharedIndex)


def name_owner(index: Index, space: str, version: str) -> None:
    """Let a shared index name its rows after the space and version that they are of."""
    if isinstance(index, SharedIndex):
        index.owner = (space, version)


def reach(index: Index) -> None:
    """Raises SpaceUnavailable if the server of a shared index does not answer, or has lost its rows."""
    if isinstance(index, SharedIndex):
        index.reach()


def note_position(index: Index, position: Position) -> None:
    """Call before changes up to this position are made. Raises SpaceUnavailable."""
    if isinstance(index, SharedIndex):
        index.note(f"{position.sequence} {position.token}")


def noted_position(index: Index) -> Position:
    """Up to where rows may have been changed; the beginning if nothing is noted. Raises SpaceUnavailable."""
    sequence, _, token = (index.noted() if isinstance(index, SharedIndex) else "").partition(" ")
    return Position(int(sequence or 0), token)


def drop_unnamed(space: str, kinds: Iterable[str], folders: Iterable[Path]) -> None:
    """Drop the rows of a space that no snapshot names; a server that is away keeps them until the next time."""
    named = list(folders)
    for kind in set(kinds) & set(INDEXES):
        index = index_class(kind)
        if issubclass(index, SharedIndex):
            with suppress(SpaceUnavailable):
                index.keep_only(space, named)
