"""Counts that take long in a large gallery are cached for a while."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TypeVar

from django.core.cache import cache

SLOW = 0.3  # seconds; what is quicker is counted at every request
AGE = 100  # times as long as it took may a count be cached: so counting takes at most 1% of the time

Counted = TypeVar("Counted")


def cached_count(name: str, count: Callable[[], Counted]) -> Counted:
    """What ``count`` returns, or returned not long ago. Not for counts that may be None."""
    cached: Counted | None = cache.get(f"counted:{name}")
    if cached is not None:
        return cached
    started = perf_counter()
    counted = count()
    if (took := perf_counter() - started) > SLOW:
        cache.set(f"counted:{name}", counted, AGE * took)
    return counted
