"""Counts that take long in a large gallery are kept for a while."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TypeVar

from django.core.cache import cache

LONG = 0.3  # seconds; what is quicker is always counted anew
SHARE = 100  # of the time that counting may take

Counted = TypeVar("Counted")


def kept(name: str, count: Callable[[], Counted]) -> Counted:
    """What ``count`` says; or said, at most a hundred times as long ago as it took."""
    known: Counted | None = cache.get(f"counted:{name}")
    if known is not None:
        return known
    started = perf_counter()
    found = count()
    if (took := perf_counter() - started) > LONG:
        cache.set(f"counted:{name}", found, SHARE * took)
    return found
