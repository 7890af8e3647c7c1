"""Which version of a space answers, and which one is being made beside it.

A space's features are of a version: that of its method, with its model. When another is configured, workers extract
it beside the one that answers, for old and new pictures alike. Once it has all that the old one has, its index is
built and one UPDATE lets it answer. The old one is kept for the way back.
"""

from __future__ import annotations

from collections.abc import Iterable

from search.exceptions import SpaceUnavailable
from search.methods import get_method
from search.methods.base import Method
from search.models import Space
from search.types import Message


def row_of(space: str) -> Space:
    """The row of a space; one that is not there yet is made up."""
    return Space.objects.filter(pk=space).first() or Space(name=space)


def rows_of(names: Iterable[str]) -> dict[str, Space]:
    """The rows of several spaces, in one query."""
    found = Space.objects.in_bulk(list(names))
    return {name: found.get(name) or Space(name=name) for name in names}


def serving(space: Space | str) -> Method:
    """The method in the version that answers. Raises SpaceUnavailable.

    Where the version that answered cannot be computed any more, the configured one answers, complete or not.
    """
    row = space if isinstance(space, Space) else row_of(space)
    configured = get_method(row.name)
    if row.version and (answers := configured.at(row.version)):
        return answers
    return configured.at(configured.version) or configured


def wanted(space: Space | str) -> list[Method]:
    """The versions that pictures should have features of: the one that answers, and then the one to come, if any.

    None without a model: nothing is pending then.
    """
    row = space if isinstance(space, Space) else row_of(space)
    try:
        now = serving(row)
    except SpaceUnavailable:
        return []
    configured = get_method(row.name)
    target = version_of(configured)
    return [now] if target in ("", now.version, row.refused) else [now, configured]


def version_of(method: Method) -> str:
    """The method's version; "" without a model."""
    try:
        return method.version
    except SpaceUnavailable:
        return ""


def problem(space: str) -> Message | None:
    """Why a space cannot answer at all, with the cure; None if it can."""
    try:
        serving(space)
    except SpaceUnavailable as error:
        return error.message
    return None


def accept(space: str) -> None:
    """Let a version that was rolled back come again."""
    Space.objects.filter(pk=space).update(refused="")
