"""How long a server may be silent before it is taken for gone: a request must not wait for what is unplugged."""

from __future__ import annotations

from typing import Any

# A machine that vanishes without a word must not keep its locks in the database, or wait for it, for hours.
_KEPT_ALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}  # seconds, seconds, tries
_BY_SERVER = " ".join(f"-c tcp_{name}={value}" for name, value in _KEPT_ALIVE.items())
POSTGRESQL: dict[str, Any] = {**_KEPT_ALIVE, "connect_timeout": 5, "tcp_user_timeout": 25_000, "options": _BY_SERVER}

CACHE = {"socket_connect_timeout": 1.0, "socket_timeout": 1.0}  # seconds
QUEUE = {"socket_connect_timeout": 1.0, "socket_timeout": 2.0}  # a worker waits for messages for a second at a time
S3: dict[str, Any] = {"connect_timeout": 3, "read_timeout": 10, "retries": {"total_max_attempts": 2}}
