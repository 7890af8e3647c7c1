"""The cache in Redis. It may lose everything at any time, and so it may be unreachable.

django-redis 7.0 was tried instead, with IGNORE_EXCEPTIONS. It has no circuit breaker: while Redis is silent, each of a
request's calls waits for the timeout (five calls took 5.2 s instead of 1.0 s); and its ``add`` returns None then, which
callers read as "somebody else has added it".
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

from search.circuit_breaker import CircuitBreaker

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")

breaker = CircuitBreaker(pause=2.0)  # of this process: all caches of a site are one server


class FaultTolerantRedisCache(RedisCache):
    """Django's, but while Redis does not answer it is an empty cache that takes everything; no request fails."""

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        return _answer(lambda: super(FaultTolerantRedisCache, self).get(key, default, version), default)

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        _answer(lambda: super(FaultTolerantRedisCache, self).set(key, value, timeout, version), None)

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return _answer(lambda: super(FaultTolerantRedisCache, self).add(key, value, timeout, version), True)

    def delete(self, key: Any, version: int | None = None) -> bool:
        return _answer(lambda: super(FaultTolerantRedisCache, self).delete(key, version), False)


def _answer(call: Callable[[], Answer], without: Answer) -> Answer:
    """What the server answers, or ``without`` if it does not."""
    if not breaker.allows():
        return without
    try:
        answer = call()
    except RedisError as error:
        breaker.failed()
        log.warning("The cache does not answer: %s", error)
        return without
    breaker.succeeded()
    return answer
