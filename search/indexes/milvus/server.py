"""This process's connection to Milvus: made on first use, closed when it fails, and made again after a pause."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from search.circuit_breaker import CircuitBreaker
from search.exceptions import SpaceUnavailable

log = logging.getLogger(__name__)

ANSWER = 1.0  # seconds that a search may take, and that connecting may
WORK = 60.0  # seconds for changes, and for making a collection
PAUSE = 1.0  # seconds in which a server that did not answer is not asked again
GONE = frozenset({4, 100})  # what different servers call a collection that is not there


def _unconfigured() -> tuple[str, str]:
    return "http://127.0.0.1:19530", "imagesite"


_where: Callable[[], tuple[str, str]] = _unconfigured


def configure(where: Callable[[], tuple[str, str]]) -> None:
    """Say where Milvus is, and what the names of this site's collections begin with: letters, digits, no ``__``."""
    global _where
    _where = where


@dataclass
class _Connection:
    uri: str = ""
    process: int = 0
    client: Any = None
    breaker: CircuitBreaker = field(default_factory=lambda: CircuitBreaker(PAUSE))


_connection, _lock = _Connection(), threading.Lock()


def prefix() -> str:
    """What the names of this site's collections begin with."""
    return _where()[1]


def ask(name: str, *arguments: object, timeout: float | None = None, **options: object) -> Any:
    """Call a method of pymilvus' client, by default with the patience of a search. Raises SpaceUnavailable."""
    seconds = timeout or ANSWER
    return _answered(name, lambda client: getattr(client, name)(*arguments, timeout=seconds, **options))


def clock() -> int:
    """A time stamp of now by the server's clock, later than those of all that it has done. Raises SpaceUnavailable."""
    # Deletions come back without one, and no public call gives it.
    return int(_answered("clock", lambda client: client._get_connection().alloc_timestamp(timeout=ANSWER)))


def _answered(name: str, call: Callable[[Any], Any]) -> Any:
    from grpc import RpcError
    from pymilvus import MilvusException

    try:
        return call(_client())
    except (MilvusException, RpcError) as error:
        code = getattr(error, "code", None)
        if code in GONE:
            raise SpaceUnavailable("milvus_lost") from error
        if not _refused(code):
            _give_up()
        log.warning("Milvus, %s: %s", name, error)
        raise SpaceUnavailable("milvus_away") from error


def _refused(code: object) -> bool:
    """Whether a server has answered, if only with an error; otherwise it is not there."""
    from pymilvus.exceptions import ErrorCode

    return isinstance(code, int) and code > 0 and code not in (2, int(ErrorCode.RATE_LIMIT))


def _client() -> Any:
    """This process's client; a forked process must not use its parent's."""
    from pymilvus import MilvusClient, MilvusException

    global _connection
    with _lock:
        uri, process = _where()[0], os.getpid()
        if (_connection.uri, _connection.process) != (uri, process):
            _connection = _Connection(uri, process)
        if _connection.client is not None:
            return _connection.client
        if not _connection.breaker.allows():
            raise SpaceUnavailable("milvus_away")
        # It logs every failure with a traceback; ours say what it means.
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
        try:
            _connection.client = cast(Any, MilvusClient)(uri, timeout=ANSWER, dedicated=True)
        except MilvusException as error:
            _connection.breaker.failed()
            raise SpaceUnavailable("milvus_away") from error
        _connection.breaker.succeeded()
        return _connection.client


def _give_up() -> None:
    """The next call after a pause connects anew: gRPC itself would wait longer and longer."""
    with _lock:
        client, _connection.client = _connection.client, None
        _connection.breaker.failed()
    if client is not None:
        client.close()
