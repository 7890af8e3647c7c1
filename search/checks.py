"""System checks: wrong settings are told at start, with an id and a cure."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from search.indexes import INDEXES, index_class
from search.methods import METHODS, get_method


@register
def check_space_indexes(**_: Any) -> list[CheckMessage]:
    """Every space is served by an index that knows its metric."""
    found: list[CheckMessage] = []
    for space in settings.SPACE_INDEXES:
        if space not in METHODS:
            hint = f"Spaces are: {', '.join(METHODS)}."
            found.append(Error(f"SPACE_INDEXES names no space: {space}", hint=hint, id="search.E001"))
    for space in METHODS:
        metric = get_method(space).metric
        name = settings.SPACE_INDEXES.get(space, get_method(space).index)
        if name not in INDEXES or metric not in index_class(name).metrics:
            hint = f"Set SPACE_INDEXES={space}=NAME with one of: {', '.join(INDEXES)}."
            found.append(Error(f"Index “{name}” cannot serve {space} ({metric})", hint=hint, id="search.E002"))
    return found
