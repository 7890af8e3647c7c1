"""How long a server may be silent before it counts as unreachable: a request must not wait for a machine that is off.

Those of S3 are in gallery/s3.py, those of Milvus in search/indexes/milvus/server.py.
"""

from __future__ import annotations

from typing import Any

# Without these, TCP would wait for hours for a machine that vanished, and PostgreSQL would keep its locks as long.
_KEEPALIVES = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}  # seconds, seconds, tries
_OF_SERVER = " ".join(f"-c tcp_{name}={value}" for name, value in _KEEPALIVES.items())
POSTGRESQL: dict[str, Any] = {**_KEEPALIVES, "connect_timeout": 5, "tcp_user_timeout": 25_000, "options": _OF_SERVER}

CACHE = {"socket_connect_timeout": 1.0, "socket_timeout": 1.0}  # seconds
# A worker waits for messages for a second at a time, so that its timeout has to be longer.
QUEUE = {"socket_connect_timeout": 1.0, "socket_timeout": 2.0}
