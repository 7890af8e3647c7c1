"""System checks: wrong settings are told at start, with an id and a cure."""

from __future__ import annotations

import re
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


@register
def check_numbers(**_: Any) -> list[CheckMessage]:
    """Rates can be parsed, and a search may have results."""
    found: list[CheckMessage] = []
    for scope, rate in settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"].items():
        if rate and not re.fullmatch(r"\d+/(s|sec|second|m|min|minute|h|hour|d|day)", rate):
            hint = "Write it as 60/min: a number, and one of second, minute, hour, day."
            found.append(Error(f"THROTTLE_{scope.upper()} is no rate: {rate}", hint=hint, id="search.E003"))
    if settings.MAX_RESULTS < 1:
        found.append(Error("MAX_RESULTS must be at least 1", hint="Leave it out for 100.", id="search.E004"))
    return found
