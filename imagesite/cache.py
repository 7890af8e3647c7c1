"""The cache in Redis. It may forget everything at any time, and so it may be away."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic
from typing import Any, TypeVar

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")
PAUSE = 2.0  # seconds in which a cache that did not answer is not asked again: a request asks more than once

_silent_until = 0.0


class ForgivingRedisCache(RedisCache):
    """Django's; what is kept and counted in it is not there while Redis is away, and no request fails for that."""

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        return _asked(lambda: super(ForgivingRedisCache, self).get(key, default, version), default)

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        _asked(lambda: super(ForgivingRedisCache, self).set(key, value, timeout, version), None)

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return _asked(lambda: super(ForgivingRedisCache, self).add(key, value, timeout, version), True)

    def delete(self, key: Any, version: int | None = None) -> bool:
        return _asked(lambda: super(ForgivingRedisCache, self).delete(key, version), False)


def _asked(call: Callable[[], Answer], without: Answer) -> Answer:
    global _silent_until
    if monotonic() < _silent_until:
        return without
    try:
        return call()
    except RedisError as error:
        _silent_until = monotonic() + PAUSE
        log.warning("The cache does not answer: %s", error)
        return without
